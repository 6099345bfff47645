"""The first pass of a workload: every stack that can be seen between its marks.

Opcode events of sys.settrace visit each instruction before it runs. The line of each frame is that
of its f_lasti in the code object's own table, co_lines() (dis.findlinestarts on 3.8 and 3.9):
f_lineno lags behind while a frame is traced (3.8 to 3.11). A frame can also be met before its first
traceable instruction, so what stands before RESUME counts as well.
"""
import dis
import itertools
import linecache
import sys

TICKS = 4


class Clock:
    """What both clocks have: `now`, `cpu`, `span` and the iterator made of them."""

    def ticks(self):
        """An iterator of readings until the span is over, made of C functions only."""
        end = self.now() + self.span
        return itertools.takewhile(end.__gt__, iter(self.now, None))


class TracedClock(Clock):
    """The clock of the first pass: `now` counts, the marks turn the recording on and off."""

    one_by_one = True

    def __init__(self, func):
        self.func = func
        self.span = TICKS
        self.count = 0
        self.recording = False
        self.stacks = set()
        self.edges = set()

    def now(self):
        object.__setattr__(self, "count", self.count + 1)
        return self.count

    def cpu(self):
        return 0

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name in ("t0", "t1"):
            # Off while this code runs, which is none of the workload's.
            object.__setattr__(self, "recording", False)
            self.edges.add(stack_of(sys._getframe(1)))
            object.__setattr__(self, "recording", name == "t0")

    def begin(self):
        # First, or 3.12 sends no opcode events at all.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(self.trace)

    def end(self):
        sys.settrace(None)

    def trace(self, frame, event, _arg):
        if frame.f_code.co_filename == __file__:
            return None
        frame.f_trace_opcodes = True
        if self.recording:
            stack = stack_of(frame)
            self.stacks.add(stack)
            if event == "call":
                name, file, _line = stack[-1]
                for line in prologue_lines(frame.f_code, frame.f_lasti):
                    self.stacks.add(stack[:-1] + ((name, file, line),))
        return self.trace

    def account(self):
        if len(self.edges) != 2 or self.recording:
            sys.exit("%s: the marks are not on two lines" % self.func.__name__)
        stacks = self.stacks - self.edges
        return {
            "stacks": sorted(stacks, key=repr),
            "edges": sorted(self.edges, key=repr),
            "seen": sorted({f for stack in stacks for f in stack if is_marked(*f)}, key=repr),
        }


def stack_of(frame):
    """((qualified name, file, line or None), ...) of a frame and its callers, root first."""
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append((label(code), clean(code.co_filename), line_of(code, frame.f_lasti)))
        frame = frame.f_back
    stack.reverse()
    return tuple(stack)


def line_of(code, lasti):
    """The line of the instruction at byte offset lasti; None where Python knows none."""
    if lasti < 0:
        return code.co_firstlineno
    for start, end, line in line_table(code):
        if start <= lasti < end:
            return line
    return None


def prologue_lines(code, lasti):
    """Lines at which a frame that starts can be met before its first traceable instruction; none
    for a generator that goes on."""
    if lasti < 0:
        return {code.co_firstlineno}
    lines = {code.co_firstlineno}
    if "RESUME" in dis.opmap:
        for instruction in dis.get_instructions(code):
            lines.add(line_of(code, instruction.offset))
            if instruction.opname == "RESUME":
                return lines if lasti <= instruction.offset else set()
    return set()


LINE_TABLES = {}


def line_table(code):
    """[(start, end, line or None), ...] in byte offsets."""
    if id(code) not in LINE_TABLES:
        if hasattr(code, "co_lines"):
            rows = [row for row in code.co_lines() if row[0] < row[1]]
        else:
            starts = list(dis.findlinestarts(code))
            ends = [start for start, _line in starts[1:]] + [len(code.co_code)]
            rows = [(start, end, line) for (start, line), end in zip(starts, ends)]
        # The code object is kept, so that its id is not given to another.
        LINE_TABLES[id(code)] = (code, rows)
    return LINE_TABLES[id(code)][1]


def label(code):
    return clean(getattr(code, "co_qualname", code.co_name))


def clean(text):
    """U+FFFD for what XML 1.0 forbids, as wherever the profiler shows a name."""
    return "".join(c if is_xml(ord(c)) else "\ufffd" for c in text)


def is_xml(c):
    return c in (9, 10, 13) or 0x20 <= c <= 0xD7FF or 0xE000 <= c <= 0xFFFD or c >= 0x10000


def is_marked(_name, file, line):
    return line is not None and linecache.getline(file, line).rstrip().endswith("# seen")
