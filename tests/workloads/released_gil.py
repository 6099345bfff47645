"""C calls that release the GIL, alone and in two threads at once: the stack stays."""
import hashlib
import zlib

import truth

DATA = bytes(range(256)) * 4096 * 8


@truth.gil("released")
def hashing(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: hashlib.sha256(DATA)  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


@truth.gil("released")
def compressing(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span:
        zlib.compress(  # seen
            DATA,
            1,
        )
    clock.t1, clock.c1 = clock.now(), clock.cpu()


@truth.gil("released")
def hashing_beside(clock):
    hashing(clock)


truth.main([hashing], [compressing], [hashing_beside, compressing], span_ns=600_000_000)
