"""A module that is busy while it is imported: importlib's own frames below its `<module>`.

The code of a module's body is gone once it has run.
"""
import importlib
import os
import sys
import tempfile

import truth

BUSY = """
from importing_clock import clock

clock.c0, clock.t0 = clock.cpu(), clock.now()
while clock.now() < clock.t0 + clock.span: pass  # seen
clock.t1, clock.c1 = clock.now(), clock.cpu()
"""


@truth.code_dies
def import_statement(clock):
    prepare(clock)
    import busy_package.busy_module


@truth.code_dies
def import_module(clock):
    prepare(clock)
    importlib.import_module("busy_package.busy_module")


def prepare(clock):
    # Stands in for a module, so that the busy one gets its clock by a plain import.
    sys.modules["importing_clock"] = type(sys)("importing_clock")
    sys.modules["importing_clock"].clock = clock
    for name in ("busy_package", "busy_package.busy_module"):
        sys.modules.pop(name, None)


with tempfile.TemporaryDirectory() as folder:
    package = os.path.join(folder, "busy_package")
    os.mkdir(package)
    with open(os.path.join(package, "__init__.py"), "w"):
        pass
    with open(os.path.join(package, "busy_module.py"), "w") as file:
        file.write(BUSY)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    truth.main([import_statement], [import_module])
