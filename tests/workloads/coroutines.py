"""asyncio: nested awaits with one task busy, an async generator, an async with."""
import asyncio

import truth


async def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


async def await_deeply(clock, n):
    if n == 0:
        await spin(clock)
    else:
        await await_deeply(clock, n - 1)


def awaits(clock):
    async def root():
        idle = asyncio.ensure_future(asyncio.sleep(60))
        await await_deeply(clock, 10)
        idle.cancel()

    run(root)


def after_suspension(clock):
    async def nap_and_spin():
        await asyncio.sleep(0.001)
        await spin(clock)

    async def root():
        await asyncio.gather(nap_and_spin(), asyncio.sleep(0.001))

    run(root)


def async_generator(clock):
    async def numbers():
        while True:
            yield sum(range(1_000))  # seen

    async def root():
        generator = numbers()
        await generator.__anext__()
        clock.c0, clock.t0 = clock.cpu(), clock.now()
        async for _ in generator:
            if clock.now() > clock.t0 + clock.span: break
        clock.t1, clock.c1 = clock.now(), clock.cpu()

    run(root)


def async_with(clock):
    class Context:
        async def __aenter__(self):
            await spin(clock)

        async def __aexit__(self, *exception):
            return None

    async def root():
        async with Context():
            pass

    run(root)


def run(root):
    asyncio.run(root())


truth.main([awaits], [after_suspension], [async_generator], [async_with])
