"""A busy loop of known depth that counts its turns in a file that the benchmark maps as well.

Words of the file: 0 turns so far, 1 what to do (0: wait, WIDE: many functions, QUIT: end, else a
loop at that many frames), 2 what is done now.
"""
import mmap
import sys
import time

WIDE = 1 << 20
QUIT = 1 << 21
sys.setrecursionlimit(5000)
with open(sys.argv[1], "r+b") as file:
    words = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")


def spin(todo):
    words[2] = todo
    n = words[0]
    x = 1
    while words[1] == todo:
        for _ in range(200):
            x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        n += 1
        words[0] = n


def dive(todo, left):
    if left:
        dive(todo, left - 1)
    else:
        spin(todo)


# 30 chains of 15 functions, in a file each, as a program of many modules has them.
N_CHAINS, N_LINKS = 30, 15
LINK = """\
def link_{chain}_{link}(x):
    y = x * 3
    z = link_{chain}_{next}(y & 0xFFFF)
    return y + z
"""
END = """\
def link_{chain}_{link}(x):
    for i in range(40):
        x = x * 5 + i
        x &= 0xFFFFFF
        x ^= i
    return x
"""


def chain(number):
    parts = []
    for link in range(N_LINKS):
        text = LINK if link < N_LINKS - 1 else END
        parts.append(text.format(chain=number, link=link, next=link + 1))
    names = {}
    exec(compile("".join(parts), "/srv/app/module_%d.py" % number, "exec"), names)
    return names["link_%d_0" % number]


CHAINS = [chain(number) for number in range(N_CHAINS)]


def wide():
    words[2] = WIDE
    n = words[0]
    while words[1] == WIDE:
        for call in CHAINS:
            call(n & 0xFF)
        n += 1
        words[0] = n


while True:
    command = words[1]
    if command == 0:
        words[2] = 0
        time.sleep(0.002)
    elif command == QUIT:
        break
    elif command == WIDE:
        wide()
    else:
        # The module, spin, and the rest dives.
        dive(command, command - 3)
