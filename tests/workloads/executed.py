"""exec, eval and compile: the file is `<string>` or what the program made up.

The code objects are kept; dying_code.py is about those that are not.
"""
import truth

SPIN = """
def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass
    clock.t1, clock.c1 = clock.now(), clock.cpu()


spin(clock)
"""


CALL = "\nspin(clock)"


def kept(source, file="<string>", mode="exec"):
    truth.KEPT.append(compile(source, file, mode))
    return truth.KEPT[-1]


def executed(clock):
    exec(kept(SPIN), {"clock": clock})


def evaluated(clock):
    names = {"clock": clock}
    exec(kept(SPIN.replace(CALL, "")), names)
    eval(kept("(0,\n spin(clock))", mode="eval"), names)


def made_up_file(clock):
    exec(kept("\n" * 70_000 + SPIN, "/no/such/dir/made up;file (1).py"), {"clock": clock})


def control_characters(clock):
    names = {}
    file = "bell\a, escape \x1b[1m, \x7f, \uffff.py"
    exec(kept(SPIN.replace(CALL, ""), file), names)
    truth.renamed(names["spin"], "<b>&\"'\x01\u2028")(clock)


def lone_surrogates(clock):
    exec(kept(SPIN, "lone \ud800 and \udfff \U0001f40d.py"), {"clock": clock})


def empty_file_name(clock):
    exec(kept(SPIN, ""), {"clock": clock})


truth.main(
    [executed],
    [evaluated],
    [made_up_file],
    [control_characters],
    [lone_surrogates],
    [empty_file_name],
    span_ns=300_000_000,
)
