"""Generators: driven by for, by next, by send, through a chain of yield from, closed busy."""
import truth


def numbers():
    while True:
        yield sum(range(1_000))  # seen


def echo():
    got = 0
    while True:
        got = yield got + sum(range(1_000))  # seen


def chain(n):
    if n == 0:
        yield from numbers()
    else:
        yield from chain(n - 1)


def driven_by_for(clock):
    generator = numbers()
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    for _ in generator:
        if clock.now() > clock.t0 + clock.span: break
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def driven_by_next(clock):
    generator = numbers()
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: next(generator)
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def driven_by_send(clock):
    generator = echo()
    next(generator)
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: generator.send(1)
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def chain_of_yield_from(clock):
    generator = chain(20)
    next(generator)
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: next(generator)
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def busy_when_closed(clock):
    def generator():
        try:
            yield
        finally:
            clock.c0, clock.t0 = clock.cpu(), clock.now()
            while clock.now() < clock.t0 + clock.span: pass  # seen
            clock.t1, clock.c1 = clock.now(), clock.cpu()

    started = generator()
    next(started)
    started.close()


truth.main(
    [driven_by_for],
    [driven_by_next],
    [driven_by_send],
    [chain_of_yield_from],
    [busy_when_closed],
    span_ns=300_000_000,
)
