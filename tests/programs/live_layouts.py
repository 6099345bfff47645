"""Three threads: one waits for stdin under functions with long and foreign names, one sleeps, one
is busy. Says what it is in a line of JSON, and on a line from stdin has all of its code die and
be replaced. Run with -c: see live_layouts.rs.
"""

import json
import re
import sys
import threading
import time

# What XML 1.0 has no place for.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SOURCE = '''
class Ünï:
    def методика(self):
        def 名前():
            return leaf()

        return [名前() for _ in range(1)]


def {long}():
    return Ünï().методика()


def emoji(value=1):
    return {long}()
'''


def printable(text):
    return FORBIDDEN.sub("\ufffd", text)


def stack(frame):
    frames = []
    while frame:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        frames.append([printable(name), printable(code.co_filename), frame.f_lineno])
        frame = frame.f_back
    return frames


def say(**what):
    print(json.dumps(what), flush=True)


# One line, so that the frame stays at it from what it says to what it waits for.
def leaf(): return say(frames=stack(sys._getframe()), threads=idents, main=threading.get_ident()), sys.stdin.readline()


def sleep():
    idents["sleeping"] = threading.get_ident()
    time.sleep(1000)


def burn():
    idents["busy"] = threading.get_ident()
    while True:
        pass


def run():
    scope = {"leaf": leaf}
    exec(compile(SOURCE.format(long="f" * 300), "/tmp/каталог/😀 файл.py", "exec"), scope)
    # A name that no source can have, of the widest kind of str.
    code = scope["emoji"].__code__
    name = "\U0001f600\ud800<\x01>"
    names = {"co_name": name, **({"co_qualname": name} if hasattr(code, "co_qualname") else {})}
    scope["emoji"].__code__ = code.replace(**names)
    scope["emoji"]()


idents = {}
for target in (sleep, burn):
    threading.Thread(target=target, daemon=True).start()
while len(idents) < 2:
    time.sleep(0.001)
run()
made = []
for i in range(5000):
    exec(compile(SOURCE.format(long="g%d" % i).replace("emoji", "h%d" % i), "other%d.py" % i, "exec"), {})
    if i % 7 == 0:
        made.append(compile("def k%d(a):\n return a\n" % i, "third.py", "exec"))
say(done=True)
sys.stdin.readline()
