"""What a run will take, which runs are unfinished, and how the same command goes on with one."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs_home import QUICK, export
from manera import config
from manera.bases import base_model
from manera.cli.main import app
from manera.corpus.storage import open_corpus, write
from manera.errors import TrainingError
from manera.records import TrainingStep
from manera.sources.reading import read
from manera.training.learn import learn
from manera.training.settings import TrainingConfig
from manera.voice.folder import voices_folder

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which the tiny base stands where the built-in one would."""
    home = tmp_path / "home"
    monkeypatch.setenv("MANERA_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "200")
    for name, value in QUICK.items():
        monkeypatch.setenv(f"MANERA_TRAINING_{name}", value)
    shutil.copytree(tiny_base, home / "bases" / base_model.folder_name())
    (tmp_path / "result.json").write_bytes(export())
    write(read([tmp_path / "result.json"]), tmp_path / "corpus")
    return home


@pytest.fixture
def corpus(home: Path) -> str:
    return str(home.parent / "corpus")


def typed(*arguments: str) -> Result:
    ended = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended


def test_a_plan_tells_what_a_run_takes_and_keeps_nothing(home: Path, corpus: str) -> None:
    told = json.loads(typed("plan", corpus, "--speaker", "Аня", "--epochs", "3", "--json").stdout)
    assert told["steps"] > 3
    assert told["seconds"] > told["step_seconds"] > 0
    assert told["peak_memory_bytes"] > 1e8 > told["disk_bytes"] > 0
    assert "steps in" in typed("plan", corpus, "--speaker", "Аня").stdout
    assert sorted(path.name for path in home.iterdir()) == ["bases"]


def test_the_same_command_goes_on_with_an_unfinished_run(home: Path, corpus: str) -> None:
    settings = config.resolve(TrainingConfig, "training", {})
    base = home / "bases" / base_model.folder_name()
    events = learn(open_corpus(Path(corpus)), "user1", "anna", settings, base)
    next(event for event in events if isinstance(event, TrainingStep) and event.step == 2)
    events.close()
    (listed,) = json.loads(typed("runs", "--json").stdout)["runs"]
    assert (listed["voice"], listed["step"], listed["base"]) == ("anna", 2, "tiny-gemma3")
    assert "anna" in typed("runs").stdout
    train = ("train", corpus, "--speaker", "Аня", "--name", "anna")
    with pytest.raises(TrainingError, match="its rank is 4, not 8"):
        typed(*train, "--rank", "8")
    told = typed(*train)
    assert "going on after step 2" in told.stderr
    assert "as the first steps were:" in told.stderr
    assert (voices_folder() / "anna" / "training.svg").read_text("utf-8").startswith("<svg xmlns")
    assert "no unfinished run" in typed("runs").stderr
    log = (home / "logs" / "training.log").read_text("utf-8")
    assert "anna is trained on tiny-gemma3, from step 2" in log
    assert "Ну и что" not in log


def test_an_unfinished_run_is_removed_by_name(home: Path, corpus: str) -> None:
    settings = config.resolve(TrainingConfig, "training", {})
    base = home / "bases" / base_model.folder_name()
    events = learn(open_corpus(Path(corpus)), "user1", "anna", settings, base)
    next(event for event in events if isinstance(event, TrainingStep))
    events.close()
    typed("runs", "--remove", "anna")
    assert not list((home / "runs").iterdir())
    with pytest.raises(TrainingError, match="there is no unfinished run 'anna'"):
        typed("runs", "--remove", "anna")


def test_steps_are_written_for_tensorboard(home: Path, corpus: str, tmp_path: Path) -> None:
    accumulating = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    settings = config.resolve(TrainingConfig, "training", {"tensorboard": str(tmp_path / "board")})
    base = home / "bases" / base_model.folder_name()
    events = list(learn(open_corpus(Path(corpus)), "user1", "anna", settings, base))
    steps = [event for event in events if isinstance(event, TrainingStep)]
    board = accumulating.EventAccumulator(str(tmp_path / "board")).Reload()
    assert [scalar.step for scalar in board.Scalars("loss/training")] == [step.step for step in steps]
    assert board.Scalars("loss/held_out")[-1].value == pytest.approx(steps[-1].validation_loss)
