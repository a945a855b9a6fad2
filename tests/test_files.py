"""Files and folders that are whole or not there, whatever ends the process that writes them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from manera.corpus.storage import open_corpus
from manera.files import remove_abandoned, replacing, replacing_folder

if sys.platform == "win32":
    pytest.skip("signals are POSIX", allow_module_level=True)

EXAMPLES = Path(__file__).parent.parent / "examples"
ANSWERS_IN = 60

# The command line, held up where it opens the first file of a corpus, until a line comes.
HELD_UP = """
import sys

def hold(event, arguments):
    if event == "open" and ".utterances.jsonl." in str(arguments[0]) and arguments[1] == "w":
        print("ready", flush=True)
        sys.stdin.readline()

from manera.cli.main import main
sys.addaudithook(hold)
main()
"""

# The command line, killed when a corpus is about to take its place.
KILLED_AT_THE_SWAP = """
import os, signal, sys

def kill(event, arguments):
    if event == "os.rename" and str(arguments[1]) == sys.argv[-1]:
        os.kill(os.getpid(), signal.SIGKILL)

from manera.cli.main import main
sys.addaudithook(kill)
main()
"""

# Replace a folder for each line, and let a signal end that at the file system's so-many-th change.
ENDED_AT = """
import os, sys
from pathlib import Path
from manera.cli.main import _unwind_on_signals
from manera.files import replacing, replacing_folder

CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod"}

def replace(folder, number, changes):
    def end(event, arguments):
        nonlocal changes
        if event in CHANGES and ".unfinished" in str(arguments):
            changes -= 1
            if changes == 0:
                os.kill(os.getpid(), number)

    sys.addaudithook(end)
    with replacing_folder(folder) as new, replacing(new / "text") as unfinished:
        unfinished.write_text("new")

_unwind_on_signals()
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        replace(Path(sys.argv[1]), int(sys.argv[2]), int(line))
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def manera(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "manera.cli.main", *map(str, arguments)],
        env=os.environ | {"MANERA_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=ANSWERS_IN,
    )


@contextmanager
def importing(to: Path, *before: str) -> Iterator[subprocess.Popen[str]]:
    """Run an import that has begun to write and goes on when it is sent a line."""
    pipe = subprocess.PIPE
    command = [*before, sys.executable, "-c", HELD_UP, "import", str(EXAMPLES / "channel-ru"), "--to", str(to)]
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            assert names(to.parent) != [to.name]
            yield process
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_import_that_a_signal_ends_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    with importing(tmp_path / "corpus") as process:
        process.send_signal(number)
        told = process.communicate(timeout=ANSWERS_IN)
    assert (process.returncode, *told) == (128 + number, "", "")
    assert names(tmp_path) == []


def test_nohup_goes_on_when_the_terminal_closes(tmp_path: Path) -> None:
    with importing(tmp_path / "corpus", "nohup") as process:
        process.send_signal(signal.SIGHUP)
        process.communicate("\n", timeout=ANSWERS_IN)
    assert process.returncode == 0
    assert names(tmp_path) == ["corpus"]


def test_the_next_import_removes_what_a_killed_one_left_and_leaves_a_living_one_alone(tmp_path: Path) -> None:
    with ExitStack() as living:
        slow = living.enter_context(importing(tmp_path / "slow"))
        with importing(tmp_path / "killed") as killed:
            killed.kill()
            killed.wait()
        assert len(names(tmp_path)) == 2
        assert manera("import", EXAMPLES / "channel-ru", "--to", tmp_path / "next", home=tmp_path).returncode == 0
        (unfinished, following) = names(tmp_path)
        assert unfinished.startswith(".slow.")
        assert following == "next"
        slow.communicate("\n", timeout=ANSWERS_IN)
    assert slow.returncode == 0
    assert names(tmp_path) == ["next", "slow"]
    assert open_corpus(tmp_path / "slow").manifest == open_corpus(tmp_path / "next").manifest


def test_any_command_removes_what_a_killed_one_left_at_home(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    with importing(tmp_path / "corpora" / "killed") as killed:
        killed.kill()
    assert len(names(tmp_path / "corpora")) == 1
    assert manera("--help", home=tmp_path).returncode == 0
    assert names(tmp_path / "corpora") == []


def test_a_corpus_is_back_when_the_process_that_replaced_it_was_killed_at_the_swap(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    swap = [sys.executable, "-c", KILLED_AT_THE_SWAP, "import", str(EXAMPLES / "chat-ru"), "--replace", "--to"]
    assert manera("import", EXAMPLES / "channel-ru", "--to", corpus, home=tmp_path).returncode == 0
    before = open_corpus(corpus).manifest
    for _ in range(2):
        assert subprocess.run([*swap, corpus], timeout=ANSWERS_IN).returncode == -signal.SIGKILL
        assert not corpus.exists()
        assert open_corpus(corpus).manifest == before
        assert names(tmp_path) == ["corpus"]
    subprocess.run([*swap, corpus], timeout=ANSWERS_IN)
    refused = manera("import", EXAMPLES / "chat-ru", "--to", corpus, home=tmp_path)
    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    assert open_corpus(corpus).manifest == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_folder_is_the_old_or_the_new_wherever_a_signal_ends_its_replacing(
    number: signal.Signals, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    command = [sys.executable, "-c", ENDED_AT, str(folder), str(int(number))]
    found: list[str] = []
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        code = None
        while code != 0:
            (folder / "text").write_text("old")
            print(len(found) + 1, file=process.stdin, flush=True)
            code = int(process.stdout.readline())
            assert code in (0, -number if number == signal.SIGKILL else 128 + number)
            if number != signal.SIGKILL:
                assert not [path for path in tmp_path.glob(".*/**/*") if path.name != "lock"]
            remove_abandoned(tmp_path)
            assert names(tmp_path) == ["folder"]
            assert names(folder) == ["text"]
            found.append((folder / "text").read_text())
        process.stdin.close()
    assert found == sorted(found, reverse=True)
    assert set(found[:-1]) == {"old", "new"}


def test_nothing_but_what_manera_left_unfinished_is_removed(tmp_path: Path) -> None:
    others = [".corpus.unfinished", ".corpus.abcdefgh", "corpus.abcdefgh.manera.unfinished", ".git"]
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / ".corpus.abcdefgh.manera.unfinished").write_text("a file")
    (tmp_path / ".link.abcdefgh.manera.unfinished").symlink_to(tmp_path / ".git")
    (tmp_path / ".corpus.12345678.manera.unfinished").mkdir()
    remove_abandoned(tmp_path)
    assert names(tmp_path) == sorted(
        [*others, ".corpus.abcdefgh.manera.unfinished", ".link.abcdefgh.manera.unfinished"]
    )
    assert names(tmp_path / ".git") == []
    remove_abandoned(tmp_path / "nowhere")


def test_what_this_process_writes_is_not_abandoned(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "folder") as new, replacing(tmp_path / "file") as unfinished:
        remove_abandoned(tmp_path)
        (new / "text").write_text("new")
        unfinished.write_text("new")
    assert names(tmp_path) == ["file", "folder"]
    assert names(tmp_path / "folder") == ["text"]
