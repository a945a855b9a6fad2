"""Cleaning on the machines of a Ray cluster: the same corpus as on one, and an error that says so where it fails."""

import operator
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from made_talk import talk
from manera.corpus.cleaning import Cleaning
from manera.corpus.cluster import over_cluster
from manera.corpus.storage import open_corpus, write
from manera.errors import CorpusError

pytest.importorskip("ray", reason="needs manera[ray]")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two machines of a cluster, each with one core, both on this one."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    yield cluster.address
    cluster.shutdown()


def test_a_corpus_is_the_same_on_two_machines(address: str, tmp_path: Path) -> None:
    alone = write(talk(4500), tmp_path / "alone", cleaning=Cleaning(workers=1))
    shared = write(talk(4500), tmp_path / "shared", cleaning=Cleaning(ray=address))
    assert shared == alone
    assert {"nearly written before", "quotation"} <= set(shared.ledger.dropped) | set(shared.ledger.characters.dropped)
    assert (tmp_path / "shared/stand-ins.json").read_bytes() == (tmp_path / "alone/stand-ins.json").read_bytes()


def test_work_is_done_in_other_processes_and_comes_in_order(address: str) -> None:
    done = list(over_cluster(lambda number: (number, os.getpid()), range(20), address))
    assert [number for number, _ in done] == list(range(20))
    assert os.getpid() not in {process for _, process in done}


@pytest.mark.parametrize(
    ("ends", "how"),
    [
        pytest.param(partial(int, "no number"), "invalid literal", id="failed"),
        pytest.param(partial(signal.raise_signal, signal.SIGKILL), "", id="killed"),
    ],
)
def test_what_fails_on_a_machine_ends_the_work(address: str, ends: partial[object], how: str) -> None:
    with pytest.raises(CorpusError, match=rf"on the Ray cluster {address} failed: .*{how}") as raised:
        list(over_cluster(operator.call, [ends], address))
    assert "without --ray" in str(raised.value.hint)


def test_a_cluster_that_does_not_answer_is_named_and_leaves_the_old_corpus(tmp_path: Path) -> None:
    old = write(talk(20), tmp_path / "corpus", cleaning=Cleaning(workers=1))
    with pytest.raises(CorpusError, match=r"no Ray cluster answers at 127\.0\.0\.1:1") as raised:
        write(talk(40), tmp_path / "corpus", replace=True, cleaning=Cleaning(ray="127.0.0.1:1"))
    assert "ray start --head" in str(raised.value.hint)
    assert open_corpus(tmp_path / "corpus").manifest == old
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
