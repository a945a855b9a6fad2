"""Cleaning in several processes: the same corpus in any number, and an error that says so where one ends."""

import operator
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import made_talk
import waiting
from made_talk import talk
from manera.corpus.cleaning import Cleaning
from manera.corpus.processes import in_order
from manera.corpus.storage import open_corpus, write
from manera.errors import CorpusError

IMPORTS = """
import sys
from pathlib import Path
from made_talk import talk
from manera.corpus.cleaning import Cleaning
from manera.corpus.storage import write

write(talk(60_000), Path(sys.argv[1]), replace=True, cleaning=Cleaning(workers=2))
"""
WITH_HELPERS = os.environ | {"PYTHONPATH": str(Path(made_talk.__file__).parent)}
ASKS_AND_WAITS = """
import sys
from manera.corpus.processes import in_order

def numbers():
    yield from range(12)
    print("asked", flush=True)
    sys.stdin.read()

list(in_order(abs, numbers(), 2))
"""


def test_a_corpus_is_the_same_in_any_number_of_processes(tmp_path: Path) -> None:
    made = [write(talk(4500), tmp_path / str(workers), cleaning=Cleaning(workers=workers)) for workers in (1, 2, 3)]
    assert made[0] == made[1] == made[2]
    assert {"written before", "nearly written before"} <= set(made[0].ledger.dropped)
    assert {"quotation", "repeated footer"} <= set(made[0].ledger.characters.dropped)
    assert {"name", "phone"} <= set(made[0].ledger.replaced)
    kept = [(tmp_path / str(workers) / "stand-ins.json").read_bytes() for workers in (1, 2, 3)]
    assert kept[0] == kept[1] == kept[2]


def test_results_come_in_the_order_of_what_was_asked() -> None:
    assert list(in_order(partial(operator.mul, 3), range(50), 3)) == [3 * number for number in range(50)]


@pytest.mark.parametrize(
    ("ends", "how"),
    [
        pytest.param(partial(os._exit, 3), "with status 3", id="ended"),
        pytest.param(partial(signal.raise_signal, signal.SIGKILL), "by signal 9", id="killed"),
    ],
)
def test_a_process_that_ends_ends_the_work(ends: partial[None], how: str) -> None:
    with pytest.raises(CorpusError, match=how) as raised:
        list(in_order(operator.call, [ends], 2))
    assert "--workers 1" in str(raised.value.hint)


def test_a_process_that_cannot_begin_leaves_the_old_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = write(talk(20), tmp_path / "corpus", cleaning=Cleaning(workers=1))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CorpusError, match="ended too early"):
        write(talk(4500), tmp_path / "corpus", replace=True, cleaning=Cleaning(workers=2))
    assert open_corpus(tmp_path / "corpus").manifest == old
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_no_process_outlives_the_one_that_asks() -> None:
    asking = subprocess.Popen(
        [sys.executable, "-c", ASKS_AND_WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with asking:
        assert asking.stdout
        assert asking.stderr
        assert asking.stdout.readline() == b"asked\n"
        asking.kill()
        assert asking.stderr.read() == b""  # ends when nobody has it open any more


def test_an_import_that_is_killed_leaves_the_old_corpus_and_no_process(tmp_path: Path) -> None:
    old = write(talk(20), tmp_path / "corpus", cleaning=Cleaning(workers=1))
    importing = subprocess.Popen(
        [sys.executable, "-c", IMPORTS, str(tmp_path / "corpus")], stderr=subprocess.PIPE, env=WITH_HELPERS
    )
    with importing:
        waiting.until(lambda: any(path.stat().st_size for path in tmp_path.rglob("aside.found")))
        importing.kill()
        assert importing.stderr
        assert importing.stderr.read() == b""  # ends when nobody has it open any more
    assert importing.returncode == -signal.SIGKILL
    assert open_corpus(tmp_path / "corpus").manifest == old
    write(talk(20), tmp_path / "corpus", replace=True, cleaning=Cleaning(workers=1))
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
