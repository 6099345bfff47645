"""Decorators, functools.partial, lru_cache, singledispatch, operator: C between Python frames."""
import functools
import operator

import truth


def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def passing(func):
    @functools.wraps(func)
    def wrapper(*arguments, **named):
        return func(*arguments, **named)

    return wrapper


@passing
@passing
def decorated(clock):
    return spin(clock)


def partial(clock):
    functools.partial(functools.partial(decorated.__wrapped__), clock)()


def lru_cache(clock):
    cached = functools.lru_cache(maxsize=8)(spin)
    cached(clock)


def single_dispatch(clock):
    dispatching = functools.singledispatch(spin)
    dispatching(clock)


def operators(clock):
    operator.methodcaller("spin", clock)(type("Spinner", (), {"spin": staticmethod(spin)}))


def arguments(clock):
    def unpacked(*positional, clock, **named):
        return spin(clock)

    unpacked(*range(40), clock=clock, **{"name%d" % n: n for n in range(40)})


truth.main(
    [decorated],
    [partial],
    [lru_cache],
    [single_dispatch],
    [operators],
    [arguments],
    span_ns=300_000_000,
)
