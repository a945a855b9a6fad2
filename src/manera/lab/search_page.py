"""The page of a search: what each kind came to, what decided, what they write, and what to do next."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from manera.lab import advice, pages
from manera.lab.advice import Rule
from manera.lab.drawings import Points, bars
from manera.lab.importance import THIRDS, Importance, importances
from manera.lab.pages import Figure, Sample, Table, figure
from manera.lab.pretrained import Pretrained
from manera.lab.search import STARTING_TRIALS
from manera.lab.settings import KINDS, Kind
from manera.lab.study import Tried, best_of_each_kind
from manera.lab.tokenizers import SIZED

FLOOR = "n-gram floor"
COLUMNS = (
    *("model", "test bits/byte", "tokenizer", "", "validation", "parameters", "tokens", "seconds", "width", "layers"),
    *("context", "rate", "dropout", "batch", "seed", "trial"),
)
EMPTY = "–"
PRETRAINED = "pretrained"
HOLDS = {True: "yes", False: "no", None: "not measured"}
WHAT = (
    "Every network had the same time; an n-gram, which only counts, is done in seconds. Bits per byte say how much of "
    "a held-out text is news to a model, whatever its tokenizer: the fewer, the better. Settings were chosen by the "
    "validation text; the test text is only told."
)


def write(
    path: Path, name: str, tried: Sequence[Tried], pretrained: Sequence[Pretrained], seconds: float
) -> list[Rule]:
    """Write the page; return the rules of what to do next. seconds: that each trial had."""
    decided = importances(tried)
    found = advice.rules(tried, pretrained, decided)
    best = best_of_each_kind(tried)
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in tried) and kind != "ngram"]
    figures = [*_figures(tried, best, kinds, pretrained, seconds), *([_importance(decided)] if decided else [])]
    samples = [
        Sample(f"{kind}, {_pieces(one)}: {_told(one)}", one.result.sample) for kind, one in best.items() if one.result
    ]
    tables = [_models(tried, best, pretrained, seconds), _rules(found)]
    failed = [one for one in tried if one.state == "failed"]
    if failed:
        rows = [(f"{one.number}", one.kind, one.reason or "") for one in failed]
        tables.append(
            Table("Failed", "They are kept, and the search went on.", ("trial", "kind", "why"), rows, is_prose=True)
        )
    pages.write(path, f"Models from nothing: {name}", WHAT, figures, tables, advice.sentence(found), samples)
    return found


def _figures(
    tried: Sequence[Tried],
    best: Mapping[Kind, Tried],
    kinds: Sequence[Kind],
    pretrained: Sequence[Pretrained],
    seconds: float,
) -> list[Figure]:
    finished = [one for one in tried if one.result and one.curve]
    if not finished:
        return []
    curves: dict[str, Points] = {kind: _curve(best[kind], seconds) if kind in best else [] for kind in kinds}
    ends = [point[0] for points in curves.values() for point in points]
    if "ngram" in best and ends:
        level = best["ngram"].lowest or 0.0
        curves[FLOOR] = [(min(ends), level), (max(ends), level)]

    def dots(across: str, of_voice: str) -> dict[str, Points]:
        drawn = {
            FLOOR if kind == "ngram" else kind: [
                (getattr(one.result, across), one.result.test_bits_per_byte)
                for one in tried
                if one.kind == kind and one.result
            ]
            for kind in (*kinds, "ngram")
        }
        voices = [(getattr(voice, of_voice), voice.test_bits_per_byte) for voice in pretrained]
        return drawn | ({PRETRAINED: voices} if voices else {})

    return [
        figure(
            "Learning",
            f"The best of each kind: validation bits per byte over {seconds:.0f} seconds.",
            curves,
            "seconds",
            log_y=False,
        ),
        figure(
            "What parameters buy",
            "Every finished model, an n-gram's counts as its parameters: bits per byte of the test text.",
            dots("parameters", "parameters"),
            "parameters",
            log_y=False,
            is_joined=False,
        ),
        figure(
            "What time buys",
            "The same, over the seconds until its best point.",
            dots("kept_seconds", "seconds"),
            "seconds",
            log_y=False,
            is_joined=False,
        ),
    ]


def _curve(one: Tried, seconds: float) -> Points:
    """Return a curve from a tenth of its time on: before, all fall from so high that nothing else would be seen."""
    points = [(step.seconds, step.bits_per_byte) for step in one.curve if step.bits_per_byte is not None]
    return [point for point in points if point[0] >= seconds / 10] or points


def _importance(decided: Sequence[Importance]) -> Figure:
    names = {one.setting: one.setting.replace("_", " ") for one in decided}
    notes = {names[one.setting]: f"{one.better} better" if one.share else "" for one in decided}
    note = (
        "Share of the trials' ranks that a setting explains within its kind, less that of chance; "
        f"numbers are cut into thirds: {', '.join(THIRDS)}. Those given up count by their lowest point."
    )
    drawn = bars({names[one.setting]: one.share for one in decided}, notes, "What decided")
    return Figure("What decided", note, Markup(drawn), [])


def _models(
    tried: Sequence[Tried], best: Mapping[Kind, Tried], pretrained: Sequence[Pretrained], seconds: float
) -> Table:
    """List pretrained voices and finished models together, the best first."""
    rows: list[tuple[float, tuple[str, ...]]] = []
    for voice in pretrained:
        size, blank = f"{voice.parameters:,}", (EMPTY,) * 8
        learned, untuned = (f"{voice.tokens:,}", f"{voice.seconds:,.0f}"), ("0", "0")
        for name, bits, cost in (
            (voice.name, voice.test_bits_per_byte, learned),
            ("its base, untuned", voice.untuned_bits_per_byte, untuned),
        ):
            rows.append((bits, (name, f"{bits:.3f}", voice.base, PRETRAINED, EMPTY, size, *cost, *blank)))
    for one in tried:
        if one.result:
            rows.append((one.result.test_bits_per_byte, _row(one, one in best.values())))
    rows.sort(key=lambda row: row[0])
    given_up = sum(one.state == "given up" for one in tried)
    note = (
        f"Each network had {seconds:.0f} seconds, a pretrained voice what it took. {given_up} trials were given up, "
        f"being above the median of their kind. The first {STARTING_TRIALS} are drawn at random."
    )
    chosen = next((place for place, (_, row) in enumerate(rows) if row[3] != PRETRAINED), None)
    return Table("All models, the best first", note, COLUMNS, [row for _, row in rows], chosen)


def _row(one: Tried, is_best: bool) -> tuple[str, ...]:
    result, chosen = one.result, one.settings
    assert result
    figures = (f"{result.bits_per_byte:.3f}", f"{result.parameters:,}", f"{result.tokens:,}", f"{result.seconds:.0f}")
    marks = [word for word, is_so in (("best of its kind", is_best), ("over-fitted", result.is_overfitted)) if is_so]
    if one.kind == "ngram":
        shape: tuple[str, ...] = (EMPTY, EMPTY, str(chosen.context), EMPTY, EMPTY, EMPTY)
    else:
        numbers = (chosen.width, chosen.layers, chosen.context)
        shape = (*map(str, numbers), f"{chosen.learning_rate:.1e}", f"{chosen.dropout:.2f}", str(chosen.batch))
    told = (one.kind, f"{result.test_bits_per_byte:.3f}", _pieces(one), ", ".join(marks))
    return (*told, *figures, *shape, str(chosen.seed), str(one.number))


def _pieces(one: Tried) -> str:
    chosen = one.settings
    return f"{chosen.tokenizer} {chosen.vocabulary:,}" if chosen.tokenizer in SIZED else chosen.tokenizer


def _told(one: Tried) -> str:
    return f"{one.result.test_bits_per_byte:.3f} bits per byte" if one.result else ""


def _rules(found: Sequence[Rule]) -> Table:
    note = "The sentence at the top tells the first two of these rules that hold and do not advise the same."
    rows = [(f"{rule.rule[0].upper()}{rule.rule[1:]}: {rule.then}.", rule.seen, HOLDS[rule.holds]) for rule in found]
    return Table("What to do next", note, ("rule", "seen", "holds"), rows, is_prose=True)
