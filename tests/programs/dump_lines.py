"""Writes the line table of every code object of the standard library, and what Python says of it.

To stdout, all numbers u32 in little endian, one record a code object:
first line, code units, bytes of the table, the table, runs, and for each run its code units and
its line (0: none). A record of one number, 2**32 - 1, and the number of code objects end it.

The truth is co_lines() where there is one (3.10+), else dis.findlinestarts().
"""

import array
import dis
import importlib.util
import marshal
import os
import struct
import sys
import sysconfig
import types
import warnings

warnings.simplefilter("ignore")
END = 2**32 - 1


def sources(folder):
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - {"__pycache__", "site-packages", "dist-packages"})
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.join(path, name)


def module_code(path):
    """From the compiled file, which is quicker, else from the source; None: it is no Python."""
    try:
        with open(importlib.util.cache_from_source(path), "rb") as file:
            data = file.read()
        if data[:4] == importlib.util.MAGIC_NUMBER:
            return marshal.loads(memoryview(data)[16:])
    except (OSError, ValueError, EOFError, TypeError):
        pass
    try:
        with open(path, "rb") as file:
            return compile(file.read(), path, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def runs_of_co_lines(code):
    for start, end, line in code.co_lines():
        yield (end - start) // 2, line or 0


def runs_of_line_starts(code):
    starts = list(dis.findlinestarts(code)) + [(len(code.co_code), None)]
    for (start, line), (end, _) in zip(starts, starts[1:]):
        yield (end - start) // 2, line


def main():
    has_lines = hasattr(types.CodeType, "co_lines")
    runs_of = runs_of_co_lines if has_lines else runs_of_line_starts
    out = open(1, "wb", buffering=1 << 20, closefd=False)
    count = 0
    for path in sources(sysconfig.get_paths()["stdlib"]):
        module = module_code(path)
        for code in codes(module) if module else ():
            table = code.co_linetable if has_lines else code.co_lnotab
            runs = array.array("I", [n for run in runs_of(code) for n in run])
            head = code.co_firstlineno, len(code.co_code) // 2, len(table)
            out.write(struct.pack("<3I", *head) + table)
            out.write(struct.pack("<I", len(runs) // 2) + runs.tobytes())
            count += 1
    out.write(struct.pack("<2I", END, count))
    out.flush()


main()
