"""Gives itself a name and is busy then: titled.py comm|title NAME."""
import sys

import truth


def busy(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def main(how, name):
    if how == "title":
        import setproctitle

        setproctitle.setproctitle(name)
    else:
        with open("/proc/self/comm", "w") as comm:
            comm.write(name)
    truth.main([busy])


main(*sys.argv[1:])
