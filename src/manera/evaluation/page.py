"""The report as one page: no script, no network, light and dark, and on paper; in Russian or English."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from manera.evaluation import charts
from manera.evaluation.findings import Findings
from manera.evaluation.intervals import Interval
from manera.evaluation.report import REPORT_HTML, Metric, Report
from manera.evaluation.russian import in_russian
from manera.files import replacing
from manera.records import TrainingStep

TEMPLATES = Path(__file__).parent / "texts"

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "does it write like them?",
        "fast": "fast evaluation: fewer samples, wider intervals",
        "recommended": "Recommended",
        "refused": "Not recommended",
        "unknown": "No recommendation: the gate could not be asked",
        "base": "untrained base",
        "voice": "voice",
        "real": "real",
        "base + note": "base + note",
        "base + examples": "base + examples",
        "voice + examples": "voice + examples",
        "side": "On held-out prompts",
        "side_note": "What was asked, then what the base writes, what the voice writes, and what was really written.",
        "parroted": "Most repeated",
        "parroted_note": "The voice's texts with the longest verbatim runs, beside the training text they come from.",
        "run": "words in a row",
        "missing": "Not measured",
        "all": "All figures",
        "metric": "figure",
        "value": "value",
        "interval": "95 % interval",
        "better": "better",
        "unit": "unit",
        "others": "The verifier tells the author from",
        "seed": "seed",
        "seconds": "s",
        "private": "This page quotes private words: mind whom you send it to.",
        "likeness": "Likeness",
        "likeness_note": "How probable the author is, by a verifier that never saw these texts; less where they "
        "exaggerate the author. Read it between the base and the real texts, above which "
        "a voice of few texts may come out.",
        "ladder": "The ladder",
        "ladder_note": "Bits per byte of held-out text, lower is better, with 95 % intervals: what is had without "
        "training, and with it.",
        "lengths": "Message lengths",
        "lengths_note": "Share of messages or paragraphs by their length.",
        "axis_words": "words in a message",
        "training": "Training",
        "training_note": "Nats per token: lower is better. The point with the lowest held-out loss was kept.",
        "axis_steps": "step",
        "train_loss": "training",
        "held_out_loss": "held out",
        "curve": "How much text is enough",
        "curve_note": "Bits per byte of held-out text after training on a quarter, a half and all of the text; at 0 "
        "the untrained base.",
        "axis_amount": "words learned from",
        "dial": "The dial",
        "dial_note": "Bits per byte as the voice is turned up: of the author's held-out text, and of general text.",
        "heard": "What the dial does to replies",
        "heard_note": "How probable the author is of what is written there, and the share of its words that stands in "
        "verbatim runs of 8 words of the training text; without the guard.",
        "heard_likeness": "likeness",
        "heard_copied": "copied",
        "dial_own": "the author's text",
        "dial_general": "general text",
        "tile_gain": "Bits per byte saved",
        "tile_gain_note": "against the untrained base",
        "tile_perplexity": "Perplexity",
        "tile_perplexity_note": "of held-out text; before training",
        "tile_likeness": "Likeness of the voice",
        "tile_copied": "Copied",
        "tile_copied_note": "of the words stand in verbatim runs of 8 words; of real held-out ones",
        "tile_auc": "Told from real",
        "tile_auc_note": "0.5 cannot be told apart, 1 always",
        "of_real": "real texts",
    },
    "ru": {
        "title": "похоже ли пишет?",
        "fast": "быстрая оценка: меньше примеров, шире интервалы",
        "recommended": "Рекомендуется",
        "refused": "Не рекомендуется",
        "unknown": "Рекомендации нет: проверить не удалось",
        "base": "сама модель",
        "voice": "голос",
        "real": "настоящее",
        "base + note": "модель + описание",
        "base + examples": "модель + примеры",
        "voice + examples": "голос + примеры",
        "side": "На отложенных вопросах",
        "side_note": "Что было сказано до этого; затем — что пишет модель, что пишет голос и что написал человек.",
        "parroted": "Самое повторённое",
        "parroted_note": "Тексты голоса с самыми длинными дословными повторами и обучающий текст, откуда они взяты.",
        "run": "слов подряд",
        "missing": "Не измерено",
        "all": "Все числа",
        "metric": "что измерено",
        "value": "значение",
        "interval": "интервал 95 %",
        "better": "лучше",
        "unit": "единица",
        "others": "Автора отличали от",
        "seed": "зерно",
        "seconds": "с",
        "private": "На этой странице есть чужие слова: смотрите, кому её отправляете.",
        "likeness": "Похожесть",
        "likeness_note": "Насколько вероятен автор — по мнению проверяющего, который этих текстов не видел; меньше, "
        "если текст утрирует автора. Читать между моделью без обучения и настоящими текстами; "
        "если текстов мало, голос может оказаться и выше них.",
        "ladder": "Лестница",
        "ladder_note": "Бит на байт отложенного текста, меньше — лучше, с интервалами 95 %: что даётся без обучения "
        "и что с ним.",
        "lengths": "Длина сообщений",
        "lengths_note": "Доля сообщений или абзацев по длине.",
        "axis_words": "слов в сообщении",
        "training": "Обучение",
        "training_note": "Нат на токен, меньше — лучше. Оставлена точка с наименьшей потерей на отложенном тексте.",
        "axis_steps": "шаг",
        "train_loss": "обучение",
        "held_out_loss": "отложенное",
        "curve": "Сколько текста нужно",
        "curve_note": "Бит на байт отложенного текста после обучения на четверти, половине и всём тексте; "
        "в нуле — модель без обучения.",
        "axis_amount": "слов для обучения",
        "dial": "Регулятор",
        "dial_note": "Бит на байт при усилении голоса: на отложенном тексте автора и на обычном тексте.",
        "heard": "Что регулятор делает с ответами",
        "heard_note": "Насколько вероятен автор того, что написано, и какая доля слов стоит в дословных повторах от "
        "8 слов обучающего текста; без защиты от повторов.",
        "heard_likeness": "похожесть",
        "heard_copied": "переписано",
        "dial_own": "текст автора",
        "dial_general": "обычный текст",
        "tile_gain": "Сбережено бит на байт",
        "tile_gain_note": "против модели без обучения",
        "tile_perplexity": "Перплексия",
        "tile_perplexity_note": "отложенного текста; до обучения",
        "tile_likeness": "Похожесть голоса",
        "tile_copied": "Переписано",
        "tile_copied_note": "слов стоят в дословных повторах от 8 слов; у настоящих",
        "tile_auc": "Отличимость от настоящего",
        "tile_auc_note": "0,5 — не отличить, 1 — отличимо всегда",
        "of_real": "настоящие тексты",
    },
}
KINDS = {
    "en": {"dialogue": "dialogue", "post": "posts", "continuation": "prose"},
    "ru": {"dialogue": "диалог", "post": "посты", "continuation": "проза"},
}
SMOOTHED = 40


class Tile(NamedTuple):
    """One figure in large type."""

    name: str
    value: str
    note: str


class Figure(NamedTuple):
    """One drawing with its title, what it shows, and the colours of its series."""

    title: str
    note: str
    svg: Markup
    key: tuple[tuple[str, str], ...] = ()


def write_page(
    report: Report, findings: Findings, persona: str, steps: Sequence[TrainingStep], folder: Path, language: str
) -> Path:
    """Write ``report.html``; return its path."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    words = WORDS[language]
    page = environment.get_template("report.html").render(
        language=language,
        t=words,
        kinds=KINDS[language],
        persona=persona,
        report=report,
        because=findings.verdict.because(language, words) if findings.verdict else report.because,
        findings=findings,
        tiles=list(_tiles(report, words)),
        figures=list(_figures(report, findings, steps, words)),
        number=number,
        said=in_russian if language == "ru" else str,
    )
    path = folder / REPORT_HTML
    with replacing(path) as unfinished:
        unfinished.write_text(page, "utf-8")
    return path


def number(value: float | None) -> str:
    """Write three figures after the point, and nothing for nothing."""
    return "" if value is None else f"{value:.3f}".rstrip("0").rstrip(".") or "0"


def _tiles(report: Report, words: dict[str, str]) -> Iterator[Tile]:
    base, voice = (report.metrics.get(f"bits_per_byte.{who}") for who in ("base", "voice"))
    if base and voice and base.value and voice.value:
        share = 1 - voice.value / base.value
        note = f"{words['tile_gain_note']}: {base.value:.2f} → {voice.value:.2f}"
        yield Tile(words["tile_gain"], f"{share:.0%}".replace("%", "\u00a0%"), note)
    before, after = (report.metrics.get(f"perplexity.{who}") for who in ("base", "voice"))
    if before and after and before.value and after.value:
        note = f"{words['tile_perplexity_note']}: {before.value:,.1f}".replace(",", "\u00a0")
        yield Tile(words["tile_perplexity"], f"{after.value:,.1f}".replace(",", "\u00a0"), note)
    likeness, ceiling = (report.metrics.get(f"likeness.{who}") for who in ("voice", "real"))
    if likeness and ceiling and likeness.value is not None and ceiling.value is not None:
        yield Tile(words["tile_likeness"], f"{likeness.value:.2f}", f"{words['of_real']}: {ceiling.value:.2f}")
    curve = report.metrics.get("real_or_generated_auc.voice")
    if curve and curve.value is not None:
        yield Tile(words["tile_auc"], f"{curve.value:.2f}", words["tile_auc_note"])
    copied, real = (report.metrics.get(f"copied.8_words.{who}") for who in ("voice", "real"))
    if copied and real and copied.value is not None and real.value is not None:
        note = f"{words['tile_copied_note']} — {real.value:.1%}".replace("%", "\u00a0%")
        yield Tile(words["tile_copied"], f"{copied.value:.1%}".replace("%", "\u00a0%"), note)


def _figures(
    report: Report, findings: Findings, steps: Sequence[TrainingStep], words: dict[str, str]
) -> Iterator[Figure]:
    if findings.rungs:
        rows = {
            words.get(name, name): (found, "base" if name.startswith("base") else "voice")
            for name, found in findings.rungs.items()
        }
        yield Figure(words["ladder"], words["ladder_note"], Markup(charts.intervals(rows, words["ladder"], 3)))
    likeness = {
        words[who]: (_interval(found), who)
        for who in ("real", "voice", "base")
        if (found := report.metrics.get(f"likeness.{who}")) and found.value is not None
    }
    if likeness:
        drawn = charts.intervals(likeness, words["likeness"])
        yield Figure(words["likeness"], words["likeness_note"], Markup(drawn))
    if findings.message_lengths:
        rows_of = {words[who]: findings.message_lengths[who] for who in ("real", "base", "voice")}
        drawn = charts.histograms(rows_of, words["lengths"], words["axis_words"])
        yield Figure(words["lengths"], words["lengths_note"], Markup(drawn))
    held_out = [(float(step.step), step.validation_loss) for step in steps if step.validation_loss is not None]
    if held_out:
        series = {words["held_out_loss"]: held_out, words["train_loss"]: _smoothed(steps)}
        drawn = charts.curves(series, words["training"], words["axis_steps"])
        key = ((words["held_out_loss"], "real"), (words["train_loss"], "base"))
        yield Figure(words["training"], words["training_note"], Markup(drawn), key)
    if findings.curve:
        points = {words["held_out_loss"]: [(float(point.words), point.bits_per_byte.value) for point in findings.curve]}
        drawn = charts.curves(points, words["curve"], words["axis_amount"])
        yield Figure(words["curve"], words["curve_note"], Markup(drawn))
    if findings.dial:
        dial = {
            words["dial_own"]: [(point.voice_scale, point.own) for point in findings.dial],
            words["dial_general"]: [(point.voice_scale, point.general) for point in findings.dial],
        }
        key = ((words["dial_own"], "real"), (words["dial_general"], "base"))
        yield Figure(words["dial"], words["dial_note"], Markup(charts.curves(dial, words["dial"], "voice_scale")), key)
        heard = {
            words["heard_likeness"]: _known((point.voice_scale, point.likeness) for point in findings.dial),
            words["heard_copied"]: _known((point.voice_scale, point.copied) for point in findings.dial),
        }
        if all(heard.values()):
            drawn = charts.curves(heard, words["heard"], "voice_scale")
            key = ((words["heard_likeness"], "real"), (words["heard_copied"], "base"))
            yield Figure(words["heard"], words["heard_note"], Markup(drawn), key)


def _known(points: Iterable[tuple[float, float | None]]) -> list[tuple[float, float]]:
    """Keep the points that were measured."""
    return [(scale, value) for scale, value in points if value is not None and math.isfinite(value)]


def _smoothed(steps: Sequence[TrainingStep]) -> list[tuple[float, float]]:
    """Average losses over stretches, so that a long run is some forty points."""
    size = max(1, len(steps) // SMOOTHED)
    stretches = (steps[start : start + size] for start in range(0, len(steps), size))
    return [(float(stretch[-1].step), sum(step.loss for step in stretch) / len(stretch)) for stretch in stretches]


def _interval(found: Metric) -> Interval:
    value = found.value or 0.0
    return Interval(value, value if found.low is None else found.low, value if found.high is None else found.high)
