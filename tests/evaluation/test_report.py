"""A report's figures and their file."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from manera import drawing
from manera.errors import EvaluationError
from manera.evaluation.budget import FAST
from manera.evaluation.measures import intervals
from manera.evaluation.measures.intervals import Interval
from manera.evaluation.report import charts
from manera.evaluation.report.document import REPORT_JSON, Report, read_report, write_report
from manera.evaluation.report.findings import Findings
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.report.page import write_page


def a_report(*metrics: Metric) -> Report:
    likeness = metric("likeness", intervals.mean([0.5, 0.7, 0.9]), "probability_of_the_author", 3, "higher")
    found = {one.id: one for one in (likeness, *metrics)}
    return Report("anna", "dialogue", "2026-01-01T00:00:00+00:00", "0", 0, FAST, found, True, "why", {}, (), 1.0)


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_report(a_report(), tmp_path)
    assert read_report(tmp_path) == a_report()


def test_report_json_has_the_promised_shape(tmp_path: Path) -> None:
    document = json.loads(write_report(a_report(), tmp_path).read_text("utf-8"))
    assert {"value", "unit", "n", "low", "high", "better"} <= document["metrics"]["likeness"].keys()
    assert document["format"] == 2
    assert document["budget"]["fast"] is True
    assert document["recommended"] is True
    assert isinstance(document["because"], str)


def test_a_report_of_before_ids_is_still_read(tmp_path: Path) -> None:
    auc = {"value": 0.9, "unit": "area under the curve", "n": 9, "low": None, "high": None, "better": "nearer 0.5"}
    of_format_1 = {
        "voice": "anna", "kind": "post", "created_at": "", "manera_version": "0", "seed": 0, "fast": True,
        "metrics": {"real_or_generated_auc.voice": {**auc, "unit_of_n": "texts"}}, "recommended": None,
        "because": "too little", "not_measured": {"cost of a reply": "no engine"}, "compared_with": [], "seconds": 1.0,
        "format": 1,
    }  # fmt: skip
    (tmp_path / REPORT_JSON).write_text(json.dumps(of_format_1))
    found = read_report(tmp_path)
    assert found is not None
    (metric,) = found.metrics.values()
    assert (metric.id, metric.unit, metric.better, metric.of) == (
        "real_or_generated_auc.voice", "area under the curve", "nearer_half", "texts"
    )  # fmt: skip
    assert found.budget == FAST
    assert found.not_measured["cost of a reply"].message == "no engine"
    page = write_page(found, Findings(), "Анна", [], tmp_path, "en").read_text("utf-8")
    assert "<b>cost of a reply</b>: no engine" in page


def test_only_its_owner_may_read_a_report(tmp_path: Path) -> None:
    assert write_report(a_report(), tmp_path).stat().st_mode & 0o077 == 0


def test_a_voice_never_evaluated_has_no_report(tmp_path: Path) -> None:
    assert read_report(tmp_path) is None


def test_a_broken_report_is_an_error(tmp_path: Path) -> None:
    (tmp_path / REPORT_JSON).write_text("{}")
    with pytest.raises(EvaluationError, match="not a report"):
        read_report(tmp_path)


def test_what_is_not_a_number_is_written_as_nothing() -> None:
    empty = metric("likeness", intervals.mean([]), "probability_of_the_author", 0, "higher")
    assert (empty.value, empty.low, empty.high) == (None, None, None)


def test_a_share_stays_between_nothing_and_all() -> None:
    assert intervals.share([False] * 17).low == 0
    assert intervals.share([True] * 17).high == 1


@pytest.mark.parametrize("count", [6, 10])
def test_few_conversations_are_not_too_sure(count: int) -> None:
    rng = np.random.default_rng(1)
    found = [intervals.mean(rng.normal(size=count), seed) for seed in range(300)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) > 0.9


def test_intervals_hold_the_mean_about_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(1)
    found = [intervals.mean(rng.normal(3, 2, 60), seed) for seed in range(200)]
    assert 0.9 < np.mean([one.low <= 3 <= one.high for one in found]) < 0.99


@pytest.mark.parametrize("shape", [(0.15, 8), (0.3, 6), (0.5, 0.5), (2, 2), (8, 0.8)])
@pytest.mark.parametrize("count", [8, 24])
def test_probabilities_near_an_end_are_not_too_sure(shape: tuple[float, float], count: int) -> None:
    rng = np.random.default_rng(1)
    truth = shape[0] / sum(shape)
    found = [intervals.mean_probability(rng.beta(*shape, count)) for _ in range(400)]
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.93
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in found)


def test_pieces_of_few_texts_tell_no_more_than_the_texts() -> None:
    values = np.random.default_rng(1).beta(1, 3, 40)
    of_few, of_each = (intervals.mean_probability(values, texts=texts) for texts in (10, 40))
    assert of_few.low < of_each.low < of_each.high < of_few.high
    assert of_each == intervals.mean_probability(values)


def test_probabilities_that_are_all_the_same_have_bounds() -> None:
    for value in (0.0, 1.0, 0.5):
        found = intervals.mean_probability([value] * 6)
        assert found.value == pytest.approx(value)
        assert found.high - found.low > 0.05


@pytest.mark.parametrize(("one", "other"), [(2, 3), (3, 3), (3, 20), (20, 3), (23, 23)])
def test_few_conversations_on_either_side_are_seldom_surely_different_by_chance(one: int, other: int) -> None:
    rng = np.random.default_rng(5)

    def drawn(count: int) -> intervals.Sums:
        return intervals.Sums(rng.normal(3, 3, count), np.full(count, 100.0), range(count))

    found = [intervals.difference(drawn(one), drawn(other)) for _ in range(600)]
    assert np.mean([low > 0 for _, low, _ in found]) < 0.055  # exact bounds would give 0.025


def test_a_difference_of_ratios_adds_up_conversations_and_asks_for_two_on_either_side() -> None:
    def sums(numerators: list[float], denominators: list[float], groups: list[int]) -> intervals.Sums:
        return intervals.Sums(np.array(numerators), np.array(denominators), groups)

    one = sums([1, 2, 3], [1, 1, 2], [0, 0, 1])
    found = intervals.difference(one, sums([1, 1], [2, 2], [0, 1]))
    assert found.value == 1
    assert found.low < 1 < found.high
    assert math.isnan(intervals.difference(one, sums([1, 1], [2, 2], [0, 0])).low)
    same = intervals.difference(sums([3, 3], [1, 1], [0, 1]), sums([1, 1], [1, 1], [0, 1]))
    assert same.value == 2
    assert same.low == pytest.approx(2, abs=1e-6)


def test_a_ratio_is_of_sums_and_not_a_mean_of_ratios() -> None:
    assert intervals.ratio([1, 9], [1, 1]).value == 5
    assert intervals.ratio([1, 9], [1, 3]).value == 2.5


def test_groups_are_drawn_whole() -> None:
    values = np.array([0.0] * 50 + [1.0] * 50)
    apart = intervals.of_groups(range(100), lambda drawn: float(values[drawn].mean()))
    together = intervals.of_groups([0] * 50 + [1] * 50, lambda drawn: float(values[drawn].mean()))
    assert together.high - together.low > 4 * (apart.high - apart.low)


def test_answers_of_one_conversation_that_are_alike_do_not_make_a_figure_surer() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 6).tolist()
    found = []
    for seed in range(200):
        rates = rng.choice([0.05, 0.75], 40)  # 0.4 on average
        yes = (rng.random(240) < np.repeat(rates, 6)).tolist()
        found.append((intervals.share(yes, seed, groups), intervals.share(yes)))
    assert 0.9 < np.mean([one.low <= 0.4 <= one.high for one, _ in found]) < 0.99
    assert np.mean([apart.low <= 0.4 <= apart.high for _, apart in found]) < 0.8


def test_a_fault_never_seen_is_bounded_by_the_number_of_conversations() -> None:
    assert intervals.share([False] * 60, 0, [0] * 30 + [1] * 30) == intervals.share([False] * 2)


def test_one_conversation_alone_bounds_nothing() -> None:
    found = intervals.ratio([1, 2, 3], [1, 1, 1], 0, [7, 7, 7])
    assert found.value == 2
    assert math.isnan(found.low)
    assert math.isnan(intervals.of_groups([7, 7], lambda drawn: float(len(drawn))).high)


def test_what_has_no_bounds_is_drawn_without_them() -> None:
    rows = {"one": (intervals.mean([0.9]), "voice"), "many": (intervals.mean([0.01, 0.02, 0.03]), "base")}
    drawn = charts.intervals(rows, "likeness")
    assert "nan" not in drawn
    assert drawn.count("<circle") == 2
    assert drawn.count('class="whisker') == 1


def test_a_setting_at_which_nothing_could_be_judged_is_not_drawn(tmp_path: Path) -> None:
    found = [
        metric(f"dial.{name}.{scale:g}", Interval(value, math.nan, math.nan), "voice_scale", 1, "neither")
        for scale, likeness in ((0.0, math.nan), (0.5, 0.2), (1.5, 0.9))
        for name, value in {"bits_per_byte": 1.0, "forgotten": 1.0, "likeness": likeness, "copied": 0.0}.items()
    ]
    page = write_page(a_report(*found), Findings(), "Анна", [], tmp_path, "ru").read_text("utf-8")
    assert "nan" not in page
    assert "Что регулятор делает с ответами" in page


def test_shares_are_not_drawn_below_nothing() -> None:
    assert ">-0" not in drawing.curves({"copied": [(0, 0.0), (1, 0.5)]}, "copied", "voice_scale")


def test_the_same_seed_gives_the_same_bounds() -> None:
    assert intervals.mean([1, 2, 4], seed=3) == intervals.mean([1, 2, 4], seed=3)
    assert math.isnan(intervals.of_groups([], lambda drawn: 0.0).value)
