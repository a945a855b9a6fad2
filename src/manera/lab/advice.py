"""What to do next, by rules that the page states."""

from collections.abc import Sequence
from itertools import islice

import msgspec

from manera.lab.importance import Importance
from manera.lab.pretrained import Pretrained
from manera.lab.study import Tried, best_of_each_kind

CLEAR = 0.01
"""Bits per byte that are a difference."""

CLEAR_SHARE = 0.05
"""Of what decided, from which on a setting is worth a word."""

LAST = 0.2
"""Of a curve, in which a model whose time is up still falls."""


class Rule(msgspec.Struct, frozen=True):
    """A rule, what was seen, whether it holds (None: not measured), and what to do where it does."""

    rule: str
    seen: str
    holds: bool | None
    then: str


def rules(tried: Sequence[Tried], pretrained: Sequence[Pretrained], decided: Sequence[Importance]) -> list[Rule]:
    """Ask every rule, the weightiest first; nothing where no model from nothing has finished."""
    best = {kind: one for kind, one in best_of_each_kind(tried).items() if kind != "ngram"}
    if not best:
        return []
    first = next(iter(best.values()))
    return [
        _pretrained(first, pretrained),
        _counting(first, tried),
        _text(list(best.values())),
        _time(first),
        *_vocabulary(decided),
        _width(decided),
    ]


def sentence(found: Sequence[Rule]) -> str:
    """Say what to do next: what the first rules say that hold, two at most."""
    held = [rule for rule in found if rule.holds]
    if not found:
        return "No model has finished yet: give the search more minutes."
    if not held:
        return "Next: more text, or a pretrained base; these settings have given what they have."
    others = (rule for rule in held[1:] if rule.then not in held[0].then)
    said = [held[0], *islice(others, 1)]
    return "Next: " + "; ".join(f"{rule.then}, since {rule.seen}" for rule in said) + "."


def _test(one: Tried) -> float:
    assert one.result
    return one.result.test_bits_per_byte


def _pretrained(first: Tried, pretrained: Sequence[Pretrained]) -> Rule:
    rule = (
        f"a pretrained base, fine-tuned on the same text, takes {CLEAR} bits per byte less than the best from nothing"
    )
    then = "take the pretrained base"
    if not pretrained:
        return Rule(rule, "none was measured: manera train, then --voice NAME", None, then)
    voice = min(pretrained, key=lambda one: one.test_bits_per_byte)
    less = _test(first) - voice.test_bits_per_byte
    seen = (
        f"{voice.name} on {voice.base} takes {voice.test_bits_per_byte:.3f} bits per byte and the best from nothing, a "
        f"{first.kind}, {_test(first):.3f} ({abs(less) / _test(first):.0%} {'less' if less > 0 else 'more'})"
    )
    return Rule(rule, seen, less >= CLEAR, then)


def _counting(first: Tried, tried: Sequence[Tried]) -> Rule:
    rule = f"the best model does not pass the best n-gram by {CLEAR}"
    then = "more minutes or more text, for it knows nothing that counting does not"
    floor = min((_test(one) for one in tried if one.kind == "ngram" and one.result), default=None)
    if floor is None:
        return Rule(rule, "no n-gram was counted", None, then)
    seen = f"the best n-gram takes {floor:.3f} bits per byte and the best {first.kind} {_test(first):.3f}"
    return Rule(rule, seen, floor - _test(first) < CLEAR, then)


def _text(best: Sequence[Tried]) -> Rule:
    over = [one.kind for one in best if one.result and one.result.is_overfitted]
    seen = f"{', '.join(over) or 'none'} of {', '.join(one.kind for one in best)} over-fitted at the best settings"
    rule = "the best model over-fits, or the best of at least half of the kinds"
    return Rule(rule, seen, best[0].kind in over or len(over) * 2 >= len(best), "more text")


def _time(first: Tried) -> Rule:
    rule = f"the best model's held-out bits still fell by {CLEAR} in the last fifth of its time"
    ends = first.curve[-1].seconds if first.curve else 0.0
    had = [step.bits_per_byte for step in first.curve if step.bits_per_byte and step.seconds <= ends * (1 - LAST)]
    now = [step.bits_per_byte for step in first.curve if step.bits_per_byte]
    if not had:
        return Rule(rule, "its curve is too short to tell", None, "more minutes")
    fell = min(had) - min(now)
    return Rule(
        rule, f"the best {first.kind} still fell by {fell:.3f} in its last fifth", fell >= CLEAR, "more minutes"
    )


def _vocabulary(decided: Sequence[Importance]) -> list[Rule]:
    rule = "the {} vocabularies were the better ones, and that explains {:.0%} of the ranks"
    share, better = _decided("vocabulary", decided)
    seen = f"the {better} ones were better, which explains {share:.0%}" if better else "too few trials to tell"
    return [
        Rule(rule.format(which, CLEAR_SHARE), seen, better == which and share >= CLEAR_SHARE, f"a {which} vocabulary")
        for which in ("smaller", "larger")
    ]


def _width(decided: Sequence[Importance]) -> Rule:
    share, better = _decided("width", decided)
    seen = f"the {better} widths were better, which explains {share:.0%}" if better else "too few trials to tell"
    rule = f"the larger widths were the better ones, and that explains {CLEAR_SHARE:.0%} of the ranks"
    return Rule(rule, seen, better == "larger" and share >= CLEAR_SHARE, "a wider model")


def _decided(setting: str, decided: Sequence[Importance]) -> tuple[float, str]:
    return next(((one.share, one.better) for one in decided if one.setting == setting), (0.0, ""))
