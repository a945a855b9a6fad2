"""How much of what is private is found, and how much is taken for it: on lines labelled by hand.

    python benchmarks/privacy.py [dev]

benchmarks/texts/private-dev.tsv and private-test.tsv hold invented lines of talk, Russian and English. Rules are made
with the first file in sight; the second is what is reported. A "private" line has its data as {kind:text}; "plain" and
"hard" lines have none, and the hard ones look as if they had: «вера в людей», "hope so", order numbers, prices.
A name is found when every word of it is, initials aside; anything else when all of it is, and as its own kind.
"""

import argparse
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import machine
from manera.text import names, personal_data
from manera.text.personal_data import Found

TEXTS = Path(__file__).parent / "texts"
NAME = "name"
_LABEL = re.compile(r"\{([\w -]+):([^}]*)\}")
_NAME_WORD = re.compile(r"[^\W\d_]{2,}(?:-[^\W\d_]+|['’](?!s\b)[^\W\d_]+)*")


class Line(NamedTuple):
    """A line of talk, what kind of line it is, and what is private in it."""

    kind: str
    text: str
    labels: tuple[Found, ...]


class Figures(NamedTuple):
    """Counts by kind of data: labelled, of them found, told, of them true; and by kind of line: lines, false alarms."""

    labelled: Counter[str]
    recalled: Counter[str]
    told: Counter[str]
    true: Counter[str]
    lines: Counter[str]
    alarms: Counter[str]


def lines(path: Path) -> Iterator[Line]:
    """Read labelled lines."""
    with path.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
            text, labels, end = "", [], 0
            for label in _LABEL.finditer(row["text"]):
                text += row["text"][end : label.start()]
                labels.append(Found(label[1], len(text), len(text) + len(label[2]), label[2]))
                text += label[2]
                end = label.end()
            yield Line(row["line"], text + row["text"][end:], tuple(labels))


def detected(text: str) -> list[Found]:
    """Find all kinds as an import does: names in what no pattern took."""
    found = personal_data.found(text)
    named = [Found(NAME, name.start, name.end, name.text) for name in names.found(text)]
    return found + [name for name in named if not any(_overlap(name, other) for other in found)]


def measure(labelled: Iterable[Line]) -> Figures:
    """Compare what is found with the labels."""
    figures = Figures(*(Counter() for _ in Figures._fields))
    for line in labelled:
        found = detected(line.text)
        figures.lines[line.kind] += 1
        figures.alarms[line.kind] += bool(found) and not line.labels
        for label in line.labels:
            figures.labelled[label.kind] += 1
            figures.recalled[label.kind] += all(any(_covers(it, part) for it in found) for part in _parts(label))
        for it in found:
            figures.told[it.kind] += 1
            figures.true[it.kind] += any(it.kind == label.kind and _overlap(it, label) for label in line.labels)
    return figures


def _parts(label: Found) -> list[Found]:
    if label.kind != NAME:
        return [label]
    words = _NAME_WORD.finditer(label.text)
    return [Found(NAME, label.start + word.start(), label.start + word.end(), word[0]) for word in words]


def _covers(found: Found, label: Found) -> bool:
    return found.kind == label.kind and found.start <= label.start and found.end >= label.end


def _overlap(one: Found, other: Found) -> bool:
    return one.start < other.end and other.start < one.end


def main() -> None:
    """Print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("dev", "test"), default="test")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    figures = measure(lines(TEXTS / f"private-{given.part}.tsv"))
    print(f"{'kind':<10}{'labelled':>9}{'recall':>8}{'told':>6}{'precision':>11}")
    for kind, count in figures.labelled.most_common():
        recall, precision = figures.recalled[kind] / count, figures.true[kind] / max(figures.told[kind], 1)
        print(f"{kind:<10}{count:>9}{recall:>8.3f}{figures.told[kind]:>6}{precision:>11.3f}")
    for kind in ("plain", "hard"):
        print(f"{kind} lines: {figures.alarms[kind]} of {figures.lines[kind]} with a false alarm")
    document = {"benchmark": "privacy", "part": given.part} | machine.described("pymorphy3", "phonenumbers")
    machine.tell(document | figures._asdict(), "privacy" if given.save else None)


if __name__ == "__main__":
    main()
