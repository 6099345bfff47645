"""What a workload knows about itself, told by Python, for the profiler's tests.

A workload is a script of functions that take a clock:

    def work(clock):
        clock.c0, clock.t0 = clock.cpu(), clock.now()
        while clock.now() < clock.t0 + clock.span: pass  # seen
        clock.t1, clock.c1 = clock.now(), clock.cpu()

    truth.main([work])

`main` runs each of them twice through the same lines of code. In the first pass, `now` counts
1, 2, 3 .. so that every loop turns a few times, and Python's own tracing collects each stack that
can be seen between the marks `t0` and `t1` (see tracing.py). In the second pass, which comes after
the handshake, `now` and `cpu` are the C functions of `time`: nothing but the workload's own code
runs between the marks.

A line that ends in `# seen` must be in the stack of at least one sample.

Two stacks are special: those of the lines that take the marks. The clock is read in the middle of
the line, so a sample may fall on the rest of it.

Protocol, one JSON value a line: {"ready": {"pid", "tid"}}; then the script waits for a line on
stdin; a {"phase", ...} for each function; {"done": true}; then it waits for the end of stdin.
"""
import json
import os
import sys
import threading
import time

from tracing import Clock, TracedClock

SPAN_NS = 350_000_000

# Code objects that would die, and that a test wants to see by name.
KEPT = []


def main(*groups, span_ns=SPAN_NS):
    """Runs groups of functions one after another; those of one group in a thread each."""
    for clocks in _passes(groups, span_ns):
        if len(clocks) == 1:
            _work(clocks[0])
        elif clocks[0].one_by_one:
            for clock in clocks:
                _join([threading.Thread(target=_work, args=(clock,))])
        else:
            _join([threading.Thread(target=_work, args=(clock,)) for clock in clocks])
    emit({"done": True})
    sys.stdin.read()


def handshake(**more):
    """Says that the script is ready, and waits for the word to go."""
    emit({"ready": dict(more, pid=os.getpid(), tid=threading.get_native_id())})
    if not sys.stdin.readline():
        sys.exit("the test went away before it said go")


def emit(value):
    """One line to the test."""
    print(json.dumps(value), flush=True)


def renamed(function, name):
    """The function under another name, which need not be an identifier."""
    names = {"co_name": name}
    if hasattr(function.__code__, "co_qualname"):
        names["co_qualname"] = name
    KEPT.append(function.__code__.replace(**names))
    return type(function)(KEPT[-1], function.__globals__)


def gil(state):
    """Decorator: the GIL is "held" or "released" during a function, or "contended" for."""

    def note(func):
        func.gil = state
        return func

    return note


def code_dies(func):
    """Decorator: the code that runs is gone before the profiler may have looked at it."""
    func.code_dies = True
    return func


def _passes(groups, span_ns):
    traced = []
    for group in groups:
        clocks = [TracedClock(func) for func in group]
        yield clocks
        traced.append([clock.account() for clock in clocks])
    handshake()
    for group, stacks in zip(groups, traced):
        barrier = threading.Barrier(len(group))
        clocks = [RealClock(func, span_ns, barrier) for func in group]
        yield clocks
        for clock, known in zip(clocks, stacks):
            emit(dict(clock.account(), **known))


def _join(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _work(clock):
    clock.begin()
    try:
        clock.func(clock)
    finally:
        clock.end()


class RealClock(Clock):
    """The clock of the second pass: C functions only."""

    one_by_one = False

    def __init__(self, func, span_ns, barrier):
        self.func = func
        self.span = span_ns
        self.now = time.monotonic_ns
        self.cpu = time.thread_time_ns
        self.barrier = barrier
        self.tid = None

    def begin(self):
        self.tid = threading.get_native_id()
        self.barrier.wait()

    def end(self):
        """Nothing to undo."""

    def account(self):
        return {
            "phase": self.func.__name__,
            "gil": getattr(self.func, "gil", None),
            "code_dies": getattr(self.func, "code_dies", False),
            "pid": os.getpid(),
            "tid": self.tid,
            "t0": self.t0,
            "t1": self.t1,
            "thread_time_ns": self.c1 - self.c0,
        }
