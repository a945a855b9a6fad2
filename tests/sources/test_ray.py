"""Files read on a cluster give the very corpus that one process makes of them."""

import json
import zipfile
from pathlib import Path

import pytest

from manera.corpus.storage import write
from manera.errors import SourceError
from manera.sources.reading import read

ray = pytest.importorskip("ray", reason="pip install 'manera[ray]'")

from manera.sources.ray import LOCAL, read_on_ray  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some books, a chat and an archive of two more."""
    place = tmp_path / "in"
    place.mkdir()
    for number in range(8):
        (place / f"{number}.txt").write_text(f"Утро {number}.\n\nПошёл снег, и все вышли.\n" * 3, "utf-8")
    messages = [
        {"id": i, "type": "message", "from": "Аня", "from_id": "user1", "text": f"да {i}", "date_unixtime": str(i)}
        for i in range(5000)
    ]
    chat = {"name": "Аня", "type": "personal_chat", "id": 2, "messages": messages}
    (place / "result.json").write_text(json.dumps(chat), "utf-8")
    with zipfile.ZipFile(place / "more.zip", "w") as archive:
        archive.writestr("a/вечер.txt", "Вечером снег растаял.\n")
        archive.writestr("b/ночь.txt", "Ночью подморозило.\n")
    return place


@pytest.mark.filterwarnings("ignore")
def test_two_workers_make_the_same_corpus_as_one_process(folder: Path, tmp_path: Path) -> None:
    alone = write(read([folder]), tmp_path / "alone")
    together = write(read_on_ray([folder], LOCAL), tmp_path / "together")
    assert together == alone
    broken = tmp_path / "broken.json"
    broken.write_text('{"name": "a", "type": "personal_chat", "messages": [{"id": 1,,}]}', "utf-8")
    with pytest.raises(SourceError) as caught:
        list(read_on_ray([broken], LOCAL))
    with pytest.raises(SourceError) as same:
        list(read([broken]))
    assert (caught.value.message, caught.value.hint) == (same.value.message, same.value.hint)


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_is_not_there_is_one_clear_error(folder: Path) -> None:
    with pytest.raises(SourceError) as caught:
        list(read_on_ray([folder], "127.0.0.1:1"))
    assert caught.value.hint == "start one: ray start --head, or take --ray local"
