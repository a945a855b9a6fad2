"""Parts of the page as HTML: everything that somebody wrote is escaped here."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from manera.faces.web.words import Say

MAX_SUMMARY = 60
WIDTH, HEIGHT = 640, 200
_LEFT, _BOTTOM = 44, 22
_COLOURS = {"loss": "var(--faint)", "validation_loss": "var(--accent)", "base_loss": "var(--warm)"}
_DASHES = {"base_loss": "5 4"}


def heading(text: str) -> str:
    """Return a heading."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; kind is its CSS class."""
    return f'<p class="{kind}">{escape(text)}</p>'


def import_failed(message: str, hint: str | None, say: Say) -> str:
    """Return why a file could not be read, and what to do."""
    told = paragraph(say("import_failed", message=message), "failed")
    return told + (paragraph(hint, "hint") if hint else "")


def quotes(texts: Iterable[str]) -> str:
    """Return lines that somebody wrote."""
    items = "".join(f"<li>{_lines(text)}</li>" for text in texts)
    return f'<ul class="quotes">{items}</ul>'


def counts(title: str, counted: Mapping[str, int]) -> str:
    """Return what was counted, folded; nothing where nothing was."""
    if not counted:
        return ""
    rows = "".join(f"<tr><td>{number(count)}</td><td>{escape(name)}</td></tr>" for name, count in counted.items())
    return f"<details><summary>{escape(title)}</summary><table>{rows}</table></details>"


def messages(examples: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """Return examples as the model sees them: who says what."""
    shown = "".join(
        f'<div class="example">{"".join(_message(message) for message in example)}</div>' for example in examples
    )
    return f'<div class="examples">{shown}</div>'


def recalled(found: Sequence[Mapping[str, Any]], say: Say) -> str:
    """Return what came to the voice's mind; nothing where nothing did."""
    if not found:
        return ""
    items = "".join(
        f"<li>{_lines(str(one['text']))}"
        + (f" → {_lines(str(one['answer']))}" if one.get("answer") else "")
        + f" <small>{escape(say('recalled_' + str(one['kind'])))}</small></li>"
        for one in found
    )
    first = str(found[0]["text"]).split("\n")[0]
    shown = f"{say('recalled')}: {first if len(first) <= MAX_SUMMARY else first[:MAX_SUMMARY] + '…'}"
    return f'<details class="note"><summary>{escape(shown)}</summary><ul>{items}</ul></details>'


def origins(found: Sequence[Mapping[str, Any]], say: Say) -> str:
    """Return the training messages nearest to a reply."""
    if not found:
        return paragraph(say("why_none"), "note")
    items = "".join(
        f"<li><blockquote>{_lines(str(one['message']['text']))}</blockquote>"
        + _answered(one["message"].get("answers"), say)
        + f"<small>{escape(say('why_row', overlap=share(one['overlap'])))}</small></li>"
        for one in found
    )
    return f'<div class="note"><b>{escape(say("why"))}</b><ul class="origins">{items}</ul></div>'


def progress(training: Mapping[str, Any], say: Say) -> str:
    """Return how far a training is: a bar, its speed, and its losses."""
    status = str(training["status"])
    error = training.get("error") or {}
    told = say(_status(training), position=training.get("position", 0), message=error.get("message", ""))
    parts = [f'<h3 class="status {status}">{escape(told)}</h3>']
    if status == "failed" and error.get("hint"):
        parts.append(paragraph(str(error["hint"]), "hint"))
    step, steps = training.get("step") or 0, training.get("steps") or 0
    if status in ("training", "stopping") and step:  # before the first, neither speed nor end is known
        speed = number(training.get("tokens_per_second") or 0)
        left = duration(training.get("seconds_left") or 0)
        line = say("progress", step=step, steps=steps, speed=speed, left=left)
        parts.append(f'<progress value="{step}" max="{steps}" aria-label="{escape(line)}"></progress>')
        parts.append(paragraph(line, "figures"))
    if len(training.get("losses") or ()) > 1:
        parts.append(losses(training, say))
    return "".join(parts)


def _status(training: Mapping[str, Any]) -> str:
    """Return the id of what is said of a status: what goes on from a voice and is stopped keeps nothing."""
    status = training["status"]
    return f"status.{status}" + ("_unchanged" if goes_on(training) and status in ("stopping", "stopped") else "")


def goes_on(training: Mapping[str, Any]) -> bool:
    """Tell whether a training goes on from a voice that is there."""
    return training.get("kind") in ("growth", "preferences")


def losses(training: Mapping[str, Any], say: Say) -> str:
    """Draw the losses of a training as SVG."""
    lines = {
        "loss": [(float(step), float(loss)) for step, loss in training["losses"]],
        "validation_loss": [(float(step), float(loss)) for step, loss in training.get("validation_losses") or ()],
    }
    end = max(1.0, float(training.get("steps") or 1), *(step for step, _ in lines["loss"]))
    if training.get("base_loss"):
        lines["base_loss"] = [(0.0, float(training["base_loss"])), (end, float(training["base_loss"]))]
    values = [loss for line in lines.values() for _, loss in line]
    low, high = min(values), max(values)
    low, high = low - 0.05 * (high - low or 1), high + 0.05 * (high - low or 1)

    def place(step: float, loss: float) -> str:
        x = _LEFT + (WIDTH - _LEFT - 8) * step / end
        y = 8 + (HEIGHT - _BOTTOM - 8) * (high - loss) / (high - low)
        return f"{x:.1f},{y:.1f}"

    drawn = "".join(
        f'<polyline points="{" ".join(place(*point) for point in line)}" fill="none" stroke="{_COLOURS[name]}" '
        f'stroke-width="2" stroke-dasharray="{_DASHES.get(name, "none")}"/>'
        for name, line in lines.items()
        if line
    )
    marks = "".join(
        f'<text x="{_LEFT - 6}" y="{y}" text-anchor="end">{value:.2f}</text>'
        for y, value in ((16, high), (HEIGHT - _BOTTOM, low))
    )
    names = "".join(
        f'<span style="color: {_COLOURS[name]}">{escape(say(name))}</span>' for name, line in lines.items() if line
    )
    note = "pair_loss_note" if training.get("kind") == "preferences" else "loss_note"
    picture = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(say(note))}">{drawn}{marks}'
        f'<text x="{WIDTH - 8}" y="{HEIGHT - 4}" text-anchor="end">{end:.0f}</text></svg>'
    )
    return f'<figure class="losses">{picture}<figcaption>{names}</figcaption></figure>'


def verdict(found: Mapping[str, Any], say: Say) -> str:
    """Return whether a voice is worth having, and why; nothing where nobody has asked yet."""
    outcome, because = found.get("outcome"), found.get("because") or ""
    why = say(f"outcome.{outcome}") if outcome else because
    if found.get("recommended") is None:
        return paragraph(why, "because") if why else ""
    return badge(bool(found["recommended"]), why, say)


def badge(recommended: bool, why: str, say: Say) -> str:
    """Return one word on a voice, and what goes with it."""
    return _judged(recommended, say("recommended" if recommended else "refused"), why)


def change(training: Mapping[str, Any], say: Say) -> str:
    """Return whether a voice that went on has changed, the figures of both, and what the gate says of the new one."""
    grown, preferred = training.get("grown"), training.get("preferred")
    ended = grown or preferred
    if not ended:
        return ""
    refusal = ended["refusal"]
    told = _judged(not refusal, say("not_kept" if refusal else "kept"), say(f"refusal.{refusal}") if refusal else "")
    if grown:
        told += "".join(paragraph(say(f"change_{part}", **_bits(grown[part])), "figures") for part in ("old", "new"))
    else:
        before, after = (f"{ended[name]:.3f}" for name in ("nats_before", "nats_after"))
        line = say("change_preferred", share=share(ended["preferred"]), before=before, after=after)
        told += paragraph(line, "figures")
    return told if refusal else told + verdict(training, say)


def _bits(changed: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{changed[name]:.4f}" for name in ("before", "after")}


def _judged(is_good: bool, word: str, why: str) -> str:
    return f'<p class="verdict {"yes" if is_good else "no"}"><b>{escape(word)}</b> {escape(why)}</p>'


def cards(voices: Sequence[Mapping[str, Any]], say: Say) -> str:
    """Return a card for each voice, with the figures that are known of it."""
    if not voices:
        return paragraph(say("no_voices"), "empty")
    return f'<div class="cards">{"".join(_card(voice, say) for voice in voices)}</div>'


def _card(voice: Mapping[str, Any], say: Say) -> str:
    held_out = voice["held_out"]
    base, own = (held_out[who]["bits_per_byte"] for who in ("base", "voice"))
    figures = [
        (say("card_bits"), f"{own:.3f}", f"{say('card_base')} {base:.3f}"),
        *_measured(say("card_likeness"), voice.get("likeness"), lambda value: f"{value:.2f}"),
        *_measured(say("card_copied"), voice.get("copied"), share),
        *_preferences(voice, say),
    ]
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)} <small>{escape(note)}</small></dd></div>"
        for name, value, note in figures
    )
    recommended = voice.get("recommended")
    verdict_word = "" if recommended is None else badge(recommended, "", say)
    cannot = "" if voice["can_talk"] else paragraph(say("card_cannot"), "hint")
    stale = paragraph(say("card_stale"), "failed") if voice.get("stale") else ""
    models = ", ".join(voice.get("synthetic", ()))
    synthetic = paragraph(say("card_synthetic", models=models), "hint") if models else ""
    return (
        f'<article class="card"><h3>{escape(voice["id"])}</h3>'
        f'<p class="who">{escape(voice["persona"])} · {escape(say("kind." + voice["kind"]))}</p>'
        f"<dl>{rows}</dl>{verdict_word}{stale}{synthetic}{cannot}"
        f'<p class="made">{escape(voice["base"])} · {escape(voice["created_at"][:10])}</p></article>'
    )


def _measured(name: str, found: Mapping[str, Any] | None, write: Any) -> list[tuple[str, str, str]]:
    if not found or found.get("value") is None:
        return []
    interval = f"{write(found['low'])}–{write(found['high'])}" if found.get("low") is not None else ""
    return [(name, write(found["value"]), interval)]


def _preferences(voice: Mapping[str, Any], say: Say) -> list[tuple[str, str, str]]:
    count, needed = voice["preferences"], voice["preferences_needed"]
    if not count:
        return []
    return [(say("card_preferences"), number(count), say("card_needed", needed=needed) if count < needed else "")]


def _message(message: Mapping[str, Any]) -> str:
    return f'<p class="{escape(str(message["role"]))}">{_lines(str(message["content"]))}</p>'


def _answered(asked: str | None, say: Say) -> str:
    return f"<small>{escape(say('why_answered'))}: {_lines(asked)}</small><br>" if asked else ""


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def share(value: float) -> str:
    """Write a share as a percentage."""
    return f"{value:.0%}" if value >= 0.1 or value == 0 else f"{value:.1%}"


def number(value: float) -> str:
    """Write a whole number with thin spaces between thousands, which both languages read."""
    return f"{value:,.0f}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    """Write a time as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
