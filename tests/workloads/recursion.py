"""Recursion of 1,000 calls: the walk crosses chunks of the data stack (3.11+)."""
import sys

import truth


def recursion(clock):
    sys.setrecursionlimit(2_000)
    return descend(clock, 1_000)


def descend(clock, n):
    if n > 1:
        return descend(clock, n - 1)
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


truth.main([recursion])
