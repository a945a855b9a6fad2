"""Lines that somebody is recognised by."""

from pathlib import Path

from manera.corpus.samples import samples
from manera.corpus.storage import open_corpus, write
from manera.records import Utterance


def test_a_sample_is_one_line_that_no_terminal_obeys(tmp_path: Path) -> None:
    text = "раз\n\x1b[31mдва\x9b2J три"
    said = [
        Utterance("a", "Аня", one, "чат", place, "message", "chat.json") for place, one in enumerate(("\x85\x9b", text))
    ]
    write(said, tmp_path / "corpus")
    corpus = open_corpus(tmp_path / "corpus")
    assert samples(corpus, corpus.manifest.speakers) == {"a": ["раз [31mдва 2J три"]}
