"""Python called from C: sorted, map, reduce, re.sub, a C slot; entry frames lie in the middle."""
import functools
import re

import truth


def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def key_of_sorted(clock):
    def key(number):
        return sum(range(number % 100))  # seen

    numbers = list(range(200))
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: sorted(numbers, key=key)  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def deep_in_map(clock):
    next(map(spin_in_reduce, [clock]))


def spin_in_reduce(clock):
    return functools.reduce(spin_in_sub, [clock, None])


def spin_in_sub(clock, _):
    return re.sub("x", lambda match: spin(clock) or "", "x")


def comparison(clock):
    class Ordered:
        def __lt__(self, other):
            return sum(range(100)) < 0  # seen

    pair = [Ordered(), Ordered()]
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: min(pair)  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


truth.main([key_of_sorted], [deep_in_map], [comparison])
