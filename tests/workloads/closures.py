"""Closures, lambdas and comprehensions (inlined from 3.12 on: Python itself says so)."""
import truth


def closure(clock):
    def enclosed():
        clock.c0, clock.t0 = clock.cpu(), clock.now()
        while clock.now() < clock.t0 + clock.span: pass  # seen
        clock.t1, clock.c1 = clock.now(), clock.cpu()

    return enclosed()


def lambdas(clock):
    inner = lambda: clock.now() < clock.t0 + clock.span  # seen
    outer = lambda: inner()  # seen
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while outer(): pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def list_comprehension(clock):
    ticks = clock.ticks()
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    [None for tick in ticks]  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def set_comprehension(clock):
    ticks = clock.ticks()
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    {
        sum(range(1_000))  # seen
        for tick
        in ticks
        if sum(range(1_001))  # seen
    }
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def generator_expression(clock):
    ticks = clock.ticks()
    values = (
        sum(range(1_000))  # seen
        for tick in ticks
    )
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    max(values)
    clock.t1, clock.c1 = clock.now(), clock.cpu()


truth.main(
    [closure], [lambdas], [list_comprehension], [set_comprehension], [generator_expression]
)
