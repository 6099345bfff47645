"""dying_code.py at its worst: code that lives for 20 ms, a hundred times.

Each has a name, a file and a line of its own. A sample that comes too late to look at the code
object may say `<code replaced>`, but never the name of another.
"""
import truth

SOURCE = """
def made_{0}(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass
    clock.t1, clock.c1 = clock.now(), clock.cpu()


made_{0}(clock)
"""


def made(number):
    source = "\n" * number + SOURCE.format(number)

    @truth.code_dies
    def run(clock):
        exec(compile(source, "file_%d.py" % number, "exec"), {"clock": clock})

    return run


truth.main(*[[made(number)] for number in range(100)], span_ns=20_000_000)
