"""What is checked about every target before the first step, because no loss curve would show it."""

from collections.abc import Sequence

from manera.dataset.encoding import IGNORE_INDEX, Encoded, Encoder
from manera.errors import DatasetError
from manera.records import Example


def check(encoded: Sequence[Encoded], examples: Sequence[Example], encoder: Encoder) -> None:
    """Refuse targets that lost their end, were cut or are empty.

    Raises DatasetError with the number of bad examples and the first one's index for each fault.
    """
    faults: dict[str, list[int]] = {}
    for index, (ids, example) in enumerate(zip(encoded, examples, strict=True)):
        fault = _fault(ids, example, encoder)
        if fault:
            faults.setdefault(fault, []).append(index)
    if faults:
        found = "; ".join(f"{fault}: {len(at)} (first: example {at[0]})" for fault, at in faults.items())
        raise DatasetError(
            f"{found}, of {len(encoded)} examples",
            "this would teach the voice never to stop; use another template",
        )


def spans(encoded: Encoded) -> list[list[int]]:
    """Return the stretches of labels that are learned."""
    found: list[list[int]] = []
    previous = IGNORE_INDEX
    for label in encoded.labels:
        if label != IGNORE_INDEX:
            if previous == IGNORE_INDEX:
                found.append([])
            found[-1].append(label)
        previous = label
    return found


def _is_whole(ids: Sequence[int], target: str, encoder: Encoder) -> bool:
    """Tell whether a target is all there, as far as the tokenizer can write it: T5's, say, has no line breaks."""
    found = encoder.decode(ids)
    return found == target or found == encoder.decode(encoder.text(target))


def _fault(encoded: Encoded, example: Example, encoder: Encoder) -> str | None:
    learned = spans(encoded)
    targets = [m.content for m in example.messages if m.is_learned]
    if not learned or any(not target.strip() for target in targets):
        return "an empty target"
    if any(span[-1] != encoder.end_of_turn for span in learned):
        return "a target without its end-of-turn token"
    pairs = zip(learned, targets, strict=False)
    if len(learned) != len(targets) or not all(_is_whole(span[:-1], target, encoder) for span, target in pairs):
        return "a target that was cut or changed"
    repeated = encoder.bos != encoder.end_of_turn and encoded.input_ids.count(encoder.bos) != 1
    if repeated or encoded.input_ids[0] != encoder.bos:
        return "not exactly one BOS, at the beginning"
    return None
