"""Busy for a second once it is told to go; for any Python, 2.7 too."""
import os
import sys
import time


def main():
    sys.stdout.write('{"ready": {"pid": %d, "tid": %d}}\n' % (os.getpid(), os.getpid()))
    sys.stdout.flush()
    sys.stdin.readline()
    end = time.time() + 1
    while time.time() < end: pass
    sys.stdout.write('{"done": true}\n')
    sys.stdout.flush()
    sys.stdin.read()


main()
