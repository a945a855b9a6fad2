"""Two processes of torchrun train what one trains: the same loss, the same gradient, one voice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import several
import torch

from jobs_home import export
from manera.corpus.storage import open_corpus, write
from manera.files import read_records
from manera.records import TrainingStep
from manera.sources.reading import read
from manera.training.learn import learn
from manera.voice.folder import voices_folder

pytestmark = pytest.mark.slow


def losses(voice: str) -> list[float]:
    return [step.loss for step in read_records(voices_folder() / voice / "training.jsonl", TrainingStep)]


SHARDED = """
distributed_type: FSDP
num_machines: 1
num_processes: 2
mixed_precision: "no"
fsdp_config:
  fsdp_version: 2
  fsdp_reshard_after_forward: true
"""
"""What ``accelerate config`` writes."""

PYTHON = (sys.executable, "-m")


def command(way: str, folder: Path) -> list[str]:
    if way == "torchrun":
        return [*PYTHON, "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    (folder / "fsdp.yaml").write_text(SHARDED, "utf-8")
    return [*PYTHON, "accelerate.commands.launch", "--config_file", str(folder / "fsdp.yaml")]


@pytest.mark.parametrize("way", ["torchrun", "fsdp"])
def test_two_processes_have_the_loss_and_the_gradient_of_one(
    way: str, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    (tmp_path / "result.json").write_bytes(export())
    write(read([tmp_path / "result.json"]), tmp_path / "corpus")
    script = Path(several.__file__)
    path = os.pathsep.join([str(script.parents[1]), *sys.path])
    both = subprocess.run(
        [*command(way, tmp_path), str(script), str(tmp_path), str(tmp_path / "corpus"), str(tiny_base)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert both.returncode == 0, both.stderr
    loss, held_out, gradients = several.first_gradients(tiny_base)
    loss_of_both, held_out_of_both, gradients_of_both = torch.load(tmp_path / "gradients.pt")
    assert loss_of_both == pytest.approx(loss, rel=1e-6)
    assert held_out_of_both == pytest.approx(held_out, rel=1e-6)
    for one, other in zip(gradients, gradients_of_both, strict=True):
        torch.testing.assert_close(other, one, atol=1e-6, rtol=1e-4)
    list(learn(open_corpus(tmp_path / "corpus"), "user1", "one", several.SETTINGS, tiny_base))
    assert losses("both") == pytest.approx(losses("one"), rel=1e-3)
    assert sorted(path.name for path in voices_folder().iterdir()) == ["both", "one"]
    assert not list((tmp_path / "runs").iterdir())
