#!/usr/bin/env python3
"""What two published definitions of a Swedish personnummer find of the forms and sentences that the tests plant.

Presidio: its own SePersonnummerRecognizer, any score (`pip install presidio-analyzer`; no model is needed).
Purview: made anew from the documentation of "Sweden national ID": ten or twelve digits, with `-`, `+` or nothing
before the last four, and a right check digit; without its keywords, that is at its lowest confidence.
The sentences are those of tests/it/planted/places.rs, the forms those of people.rs. Seeded. Python 3.11.

    python3 tests/peers.py
"""
import random
import re
from pathlib import Path

from presidio_analyzer.predefined_recognizers import SePersonnummerRecognizer

ROUNDS = 40
SOURCE = (Path(__file__).parent / "it/planted/places.rs").read_text("utf-8")
RANDOM = random.Random(7)


def sentences(name):
    start = SOURCE.index(f"const {name}")
    return re.findall(r'^\s+"(.*)",$', SOURCE[start:SOURCE.index("];", start)], re.M)


def check_digit(nine):
    values = [int(digit) * (1 if at % 2 else 2) for at, digit in enumerate(nine)]
    return -sum(value // 10 + value % 10 for value in values) % 10


def person(years):
    year, month = RANDOM.randrange(*years), RANDOM.randrange(1, 13)
    day = 60 + RANDOM.randrange(32) if RANDOM.randrange(8) == 0 else RANDOM.randrange(1, 29)
    born = f"{year}{month:02}{day:02}"
    serial = str(RANDOM.choice([238, 239, 980, 981, 982, 983, 928, 929]))
    return born, serial + str(check_digit(born[2:] + serial))


def wide(digits):
    return "".join(chr(0xFF10 + int(digit)) for digit in digits)


SURE = {
    'twelve': lambda d, l: d + l,
    '8-4': lambda d, l: f'{d}-{l}',
    '6-4': lambda d, l: f'{d[2:]}-{l}',
    '6 4': lambda d, l: f'{d[2:]} {l}',
    '8 4': lambda d, l: f'{d} {l}',
    'en dash': lambda d, l: f'{d[2:]}–{l}',
    'minus': lambda d, l: f'{d[2:]}−{l}',
    'no-break space': lambda d, l: f'{d[2:]}\u00a0{l}',
    'no-break hyphen': lambda d, l: f'{d}\u2011{l}',
    'blanks and dash': lambda d, l: f'{d[2:]} - {l}',
    'zero width': lambda d, l: f'{d[2:]}-\u200b{l}',
    'soft hyphen': lambda d, l: f'{d[2:]}\u00ad-{l}',
    '4-2-2-4': lambda d, l: f'{d[:4]}-{d[4:6]}-{d[6:]}-{l}',
    '4 2 2 4': lambda d, l: f'{d[:4]} {d[4:6]} {d[6:]} {l}',
    'full width': lambda d, l: f'{wide(d[2:])}-{wide(l)}',
}
WORD = {
    'ten': lambda d, l: d[2:] + l,
    'two blanks': lambda d, l: f'{d[2:]}  {l}',
    'tab': lambda d, l: f'{d[2:]}\t{l}',
    'dot': lambda d, l: f'{d[2:]}.{l}',
    'two dashes': lambda d, l: f'{d[2:]}--{l}',
    'slash': lambda d, l: f'{d[2:]}/{l}',
    'low line': lambda d, l: f'{d}_{l}',
    '2-2-2 4': lambda d, l: f'{d[2:4]}-{d[4:6]}-{d[6:]} {l}',
    '2.2.2-4': lambda d, l: f'{d[2:4]}.{d[4:6]}.{d[6:]}-{l}',
    '4.2.2-4': lambda d, l: f'{d[:4]}.{d[4:6]}.{d[6:]}-{l}',
    '4/2/2-4': lambda d, l: f'{d[:4]}/{d[4:6]}/{d[6:]}-{l}',
    '4-2-2 4': lambda d, l: f'{d[:4]}-{d[4:6]}-{d[6:]} {l}',
    'in brackets': lambda d, l: f'{d[2:]} ({l})',
    'last four': lambda d, l: f'{d[2:]}, sista fyra {l}',
    'letters': lambda d, l: (d[2:].replace('0','O')+'-'+l).replace('1','l',1),
}
LINE = {
    'wrapped': lambda d, l: f'{d[2:]}-\r\n{l}',
    'quoted': lambda d, l: f'{d[2:]}-\r\n> {l}',
}

PURVIEW = re.compile(r"(?<!\d)(\d{2})?(\d{6})[-+]?(\d{4})(?!\d)")
PRESIDIO = SePersonnummerRecognizer()


def purview(text):
    tens = (match[2] + match[3] for match in PURVIEW.finditer(text))
    return any(check_digit(ten[:9]) == int(ten[9]) for ten in tens)


def presidio(text):
    return bool(PRESIDIO.analyze(text, ["SE_PERSONNUMMER"], None))


for what, forms, kind, years in [
    ("sure forms, label", SURE, "LABELLED", (1926, 2023)),
    ("loose forms, label", WORD, "LABELLED", (1926, 2023)),
    ("over a line's end, label", LINE, "LABELLED", (1926, 2023)),
    ("sure forms, category word", SURE, "SENSITIVE", (1926, 2023)),
    ("loose forms, category word", WORD, "SENSITIVE", (1926, 2000)),
]:
    texts = [
        sentence.replace("{}", form(*person(years)))
        for form in forms.values()
        for sentence in sentences(kind)
        for _ in range(ROUNDS)
    ]
    share = {peer.__name__: f"{sum(map(peer, texts)) / len(texts):.1%}" for peer in (purview, presidio)}
    print(f"{what}: {len(texts)} texts, {share}")
