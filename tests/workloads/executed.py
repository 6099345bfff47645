"""exec, eval and compile: the file is `<string>` or what the program made up."""
import truth

SPIN = """
def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass
    clock.t1, clock.c1 = clock.now(), clock.cpu()


spin(clock)
"""


def executed(clock):
    exec(SPIN, {"clock": clock})


def evaluated(clock):
    names = {"clock": clock}
    exec(SPIN.replace("\nspin(clock)", ""), names)
    eval("(0,\n spin(clock))", names)


def made_up_file(clock):
    exec(compile("\n" * 70_000 + SPIN, "/no/such/dir/made up;file (1).py", "exec"), {"clock": clock})


def control_characters(clock):
    names = {}
    file = "bell\a, escape \x1b[1m, \x7f, \uffff.py"
    exec(compile(SPIN.replace("\nspin(clock)", ""), file, "exec"), names)
    truth.renamed(names["spin"], "<b>&\"'\x01\u2028")(clock)


def lone_surrogates(clock):
    exec(compile(SPIN, "lone \ud800 and \udfff \U0001f40d.py", "exec"), {"clock": clock})


def empty_file_name(clock):
    exec(compile(SPIN, "", "exec"), {"clock": clock})


truth.main(
    [executed],
    [evaluated],
    [made_up_file],
    [control_characters],
    [lone_surrogates],
    [empty_file_name],
    span_ns=300_000_000,
)
