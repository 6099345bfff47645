"""Names in latin-1, Cyrillic and emoji: str objects of one, two and four bytes a character.

The script copies itself into folders and files with such names; identifiers allow letters only,
so that emoji stand in the file's name and in a code object that was given one.
"""
import importlib.util
import os
import sys
import tempfile

import truth

SOURCE = '''
def déjà_vu(clock):
    return вычисление(clock)


def вычисление(clock):
    return Größe().𝔰𝔭𝔦𝔫(clock)


class Größe:
    def spin(self, clock):
        clock.c0, clock.t0 = clock.cpu(), clock.now()
        while clock.now() < clock.t0 + clock.span: pass  # seen
        clock.t1, clock.c1 = clock.now(), clock.cpu()
'''


def load(folder, name):
    os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(SOURCE)
    spec = importlib.util.spec_from_file_location("module", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def latin_1(clock):
    LATIN_1.déjà_vu(clock)


def cyrillic(clock):
    CYRILLIC.déjà_vu(clock)


def emoji(clock):
    EMOJI.déjà_vu(clock)


def emoji_as_a_name(clock):
    truth.renamed(EMOJI.Größe.spin, "🐍🔥")(None, clock)


with tempfile.TemporaryDirectory() as folder:
    sys.dont_write_bytecode = True
    LATIN_1 = load(folder, "josé/café.py")
    CYRILLIC = load(folder, "Документы/расчёт.py")
    EMOJI = load(folder, "🐍/снег ☃ & 🔥.py")
    truth.main([latin_1], [cyrillic], [emoji], [emoji_as_a_name], span_ns=300_000_000)
