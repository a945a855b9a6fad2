"""Searches: shared by processes, gone on with after a kill, honest about what failed and what is next."""

import html
import json
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import optuna
import pytest
from typer.testing import CliRunner

from lab_texts import PROSE, TEXT
from manera.cli.main import app
from manera.errors import SettingsError, StoreError, TrainingError
from manera.lab import advice, search_page
from manera.lab.importance import Importance, explained, importances
from manera.lab.search import Plan, is_behind, search, work
from manera.lab.settings import Kind, settings_for
from manera.lab.study import JOURNAL, Owner, Result, Tried, best_of_each_kind, open_study, study_folder
from manera.lab.texts import split_text
from manera.lab.training import LabStep

TEXTS = split_text(TEXT[:12_000])
OTHER = split_text(PROSE.read_text("utf-8")[:12_000])
QUICK = Plan(kinds=("linear", "gru"), pieces=("character",), trials=3, seconds=0.3, minutes=2)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    return tmp_path


def test_every_trial_is_kept_and_told_once() -> None:
    found = list(search("study", TEXTS, QUICK))
    floors = [one for one in found if one.is_floor]
    rest = [one for one in found if not one.is_floor]
    assert [one.kind for one in floors] == ["ngram"]
    assert [one.kind for one in rest] == ["linear", "gru", "linear"]
    for one in rest:
        assert one.state == "finished"
        assert one.result
        assert one.result.tokens
        assert one.result.parameters > 100
        assert one.result.sample
        assert one.curve
    assert len({one.settings.seed for one in rest}) == 3
    kept = open_study("study", TEXTS, 99)
    assert kept.tried() == sorted(found, key=lambda one: one.number)
    assert kept.seconds == 0.3
    assert (study_folder("study") / JOURNAL).stat().st_mode & 0o077 == 0


def test_an_interruption_ends_the_search_and_not_only_a_trial() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def go() -> None:
        for _ in search("study", TEXTS, msgspec.structs.replace(QUICK, seconds=60)):
            signal.setitimer(signal.ITIMER_REAL, 1)  # the floor is there: a second into the first trial

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            go()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [one.is_floor for one in open_study("study", TEXTS, 60).tried()] == [True]


@pytest.mark.parametrize(
    ("flag", "known"),
    [("--kinds", "lstm"), ("--tokenizers", "bpe"), ("--sampler", "tpe")],
    ids=["kind", "tokenizer", "sampler"],
)
def test_what_a_search_does_not_know_is_named_with_what_it_knows(flag: str, known: str) -> None:
    refusal = CliRunner().invoke(app, ["lab", "search", str(PROSE), flag, "banana"]).exception
    assert isinstance(refusal, SettingsError)
    assert "'banana'" in refusal.message
    assert known in (refusal.hint or "")


def test_a_study_goes_on_where_it_was() -> None:
    first = list(search("study", TEXTS, msgspec.structs.replace(QUICK, trials=1)))
    then = list(search("study", TEXTS, QUICK))
    assert len(first) == 2
    assert [one.kind for one in then] == ["gru", "linear"]
    assert list(search("study", TEXTS, QUICK)) == []


def test_a_study_of_another_corpus_is_refused() -> None:
    open_study("study", TEXTS, 1)
    with pytest.raises(TrainingError, match="another corpus") as refusal:
        open_study("study", OTHER, 1)
    assert refusal.value.hint
    assert "--name study-2" in refusal.value.hint


def test_two_workers_end_a_study_though_one_is_killed() -> None:
    plan = Plan(kinds=("linear", "gru"), pieces=("character",), trials=4, seconds=1.0, minutes=3, workers=2)
    killed = None
    for _ in search("study", TEXTS, plan):
        study = open_study("study", TEXTS, 1)
        running = study.optuna.get_trials(states=(optuna.trial.TrialState.RUNNING,))
        owners = {
            one.number: msgspec.convert(one.user_attrs["owner"], Owner) for one in running if "kind" in one.user_attrs
        }
        if killed is None and owners:
            killed, owner = next(iter(owners.items()))
            assert owner.process != os.getpid()
            os.kill(owner.process, signal.SIGKILL)
    assert killed is not None
    study = open_study("study", TEXTS, 1)
    ended = [one for one in study.tried() if not one.is_floor]
    assert len(ended) == 4
    assert killed not in [one.number for one in ended]
    again = [one for one in study.optuna.get_trials() if one.user_attrs.get("again") == killed]
    assert len(again) == 1
    left = study.optuna.get_trials()[killed]
    assert left.user_attrs["left"]
    assert (again[0].params, again[0].user_attrs["seed"]) == (left.params, left.user_attrs["seed"])


def test_what_a_killed_process_had_half_written_is_taken_away(home: Path) -> None:
    open_study("study", TEXTS, 1)
    with (study_folder("study") / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code":4,"wor')
    opened = open_study("study", TEXTS, 1)
    opened.optuna.set_user_attr("more", 1)
    assert open_study("study", TEXTS, 1).optuna.user_attrs["more"] == 1


def test_a_trial_that_fails_is_kept_and_the_search_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manera.lab.space.LEARNING_RATES", (1e19, 1e20))
    plan = msgspec.structs.replace(QUICK, kinds=("rnn",), trials=2)
    rest = [one for one in search("study", TEXTS, plan) if not one.is_floor]
    assert [one.state for one in rest] == ["failed", "failed"]
    assert "diverged at step" in (rest[0].reason or "")


def test_a_vocabulary_that_the_text_does_not_allow_is_kept_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manera.lab.space.VOCABULARIES", (50_000,))
    plan = msgspec.structs.replace(QUICK, kinds=("ngram",), pieces=("bpe",), trials=1)
    assert {one.state for one in search("study", TEXTS, plan)} == {"failed"}


@pytest.mark.slow
def test_a_study_is_kept_in_postgresql(empty_postgres: str) -> None:
    found = list(search("study", TEXTS, msgspec.structs.replace(QUICK, trials=1), empty_postgres))
    assert open_study("study", TEXTS, 1, empty_postgres).tried() == found
    with pytest.raises(TrainingError, match="another corpus"):
        open_study("study", OTHER, 1, empty_postgres)


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@localhost:1/none", "nonsense"], ids=["nobody there", "no address"]
)
def test_a_database_that_cannot_be_opened_is_named(url: str) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as refusal:
        open_study("study", TEXTS, 1, url)
    assert "postgresql://USER" in (refusal.value.hint or "")


def test_nothing_begins_after_the_minutes() -> None:
    study = open_study("study", TEXTS, 1)
    assert list(work(study, TEXTS, QUICK, ends=0.0)) == []


def step(seconds: float, bits: float) -> LabStep:
    return LabStep(int(seconds), 100, seconds, 1.0, bits)


def ended(number: int, kind: Kind = "gru", bits: float = 2.0, over: bool = False, **chosen: object) -> Tried:
    curve = tuple(step(seconds, bits + (10 - seconds) / 10) for seconds in range(1, 11))
    result = Result(bits, bits + 0.1, 1000, 1000, 10, 10, over, "sample")
    return Tried(number, "finished", settings_for(kind, **chosen), curve, result)


def test_the_command_searches_goes_on_and_writes_its_page(tmp_path: Path) -> None:
    def typed(*more: str) -> Any:
        asked = ("--kinds", "linear", "--tokenizers", "character", "--workers", "1", "--minutes", "1", "--json", *more)
        page = tmp_path / "page.html"
        return CliRunner().invoke(app, ["lab", "search", str(PROSE), *asked, "--name", "s", "--to", str(page)])

    first = typed("--trials", "1", "--seconds", "0.3")
    assert first.exit_code == 0, first.output
    document = json.loads(first.stdout)
    assert [one["settings"]["kind"] for one in document["trials"]] == ["ngram", "linear"]
    assert document["next"].startswith("Next: ")
    assert document["next"] in html.unescape((tmp_path / "page.html").read_text("utf-8"))
    assert len(json.loads(typed("--trials", "2").stdout)["trials"]) == 3
    refused = typed("--trials", "3", "--seconds", "9")
    assert "was begun with 0.3 seconds a trial" in str(refused.exception)


def test_a_trial_is_given_up_above_the_median_of_its_kind_at_the_same_time() -> None:
    others = [ended(number, bits=2.0 + number / 10) for number in range(3)]
    assert is_behind([step(5, 2.61)], others, 10)  # the median had 2.6 there
    assert not is_behind([step(5, 2.59)], others, 10)
    assert not is_behind([step(2, 9.0)], others, 10)
    assert not is_behind([step(5, 9.0)], others[:2], 10)


def test_what_explains_nothing_has_no_share() -> None:
    assert explained([1, 2, 9, 10], ["a", "a", "b", "b"]) > 0.9
    assert explained([1, 9, 1, 9], ["a", "a", "b", "b"]) == 0


def test_the_setting_that_decided_is_found() -> None:
    tried = [
        ended(number, kind, 3 - width / 500 + number % 2 / 1000, width=width, batch=8 + number)
        for kind in ("gru", "lstm")
        for number, width in enumerate(range(128, 512, 32))
    ]
    first = importances(tried)[0]
    assert (first.setting, first.better) == ("width", "larger")
    assert importances(tried[:3]) == []


@pytest.mark.parametrize(
    ("tried", "decided", "then"),
    [
        ([ended(1)], [], "these settings have given"),
        ([ended(1, over=True)], [], "more text"),
        ([ended(1), ended(2, "ngram", 1.9)], [], "counting does not"),
        ([ended(1)], [Importance("vocabulary", 0.3, "smaller")], "a smaller vocabulary"),
        ([ended(1)], [Importance("width", 0.3, "larger")], "a wider model"),
        ([], [], "more minutes"),
    ],
    ids=["nothing", "over-fitted", "n-gram", "vocabulary", "width", "none"],
)
def test_the_sentence_follows_the_rules(tried: list[Tried], decided: list[Importance], then: str) -> None:
    flat = [msgspec.structs.replace(one, curve=tuple(step(at, 2.0) for at in range(1, 11))) for one in tried]
    assert then in advice.sentence(advice.rules(flat, [], decided))


def test_a_model_that_still_learns_wants_more_minutes() -> None:
    assert "more minutes" in advice.sentence(advice.rules([ended(1)], [], []))


def test_the_page_holds_what_was_found(tmp_path: Path) -> None:
    failed = Tried(7, "failed", settings_for("rnn"), reason="it <diverged>")
    tried = [ended(1), ended(2, "lstm", 1.9, over=True), ended(3, "ngram", 2.4), failed]
    search_page.write(tmp_path / "page.html", "study", tried, [], 10)
    page = (tmp_path / "page.html").read_text("utf-8")
    for words in ("lstm", "over-fitted", "n-gram floor", "it &lt;diverged&gt;", "2.000", "Next: more text"):
        assert words in page
    assert list(best_of_each_kind(tried)) == ["lstm", "gru", "ngram"]


@pytest.mark.parametrize(
    "chosen",
    [{"kinds": ()}, {"kinds": ("gpt",)}, {"sampler": "grid"}, {"trials": 0}],
    ids=["none", "kind", "sampler", "trials"],
)
def test_impossible_searches_are_refused(chosen: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        Plan(**({"kinds": ("gru",)} | chosen))  # type: ignore[arg-type]
