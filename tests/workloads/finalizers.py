"""__del__, weakref call-backs and the collector: Python called where none was written."""
import gc
import weakref

import truth


def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


class Busy:
    def __init__(self, clock):
        self.clock = clock

    def __del__(self):
        spin(self.clock)


class Plain:
    pass


def deleted(clock):
    # In a list: while it is traced, a frame's f_locals would keep a local of its own alive.
    busy = [Busy(clock)]
    busy.clear()


def collected(clock):
    busy = Busy(clock)
    busy.cycle = busy
    del busy
    gc.collect()


def weak_reference(clock):
    plain = [Plain()]
    reference = weakref.ref(plain[0], lambda gone: spin(clock))
    plain.clear()
    return reference


truth.main([deleted], [collected], [weak_reference], span_ns=300_000_000)
