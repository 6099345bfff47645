"""A parent whose child does the work: forked, or a program of its own.

family.py fork|exec|spawn
"""
import os
import subprocess
import sys

import truth


def forked(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def main(how):
    nested = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nested.py")
    if how == "spawn":
        # posix_spawn or vfork, and a shell between.
        sys.exit(subprocess.call(["/bin/sh", "-c", '"$0" "$1"; exit $?', sys.executable, nested]))
    child = os.fork()
    if child == 0:
        if how == "fork":
            truth.main([forked])
            os._exit(0)
        os.execv(sys.executable, [sys.executable, nested])
    _pid, status = os.waitpid(child, 0)
    sys.exit(status >> 8)


main(sys.argv[1])
