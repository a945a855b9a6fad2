"""What voices that are to be exported have learned from."""

from collections.abc import Callable

from manera.records import Example, ExampleKind, Message
from manera.voice.manifest import Voice
from tiny import TEXT

MakeVoice = Callable[[ExampleKind], Voice]
INSTRUCTION = "Напиши пост: {topic}"
SPOKEN = [line for line in TEXT.split("\n") if line]


def examples(kind: ExampleKind) -> list[Example]:
    """Make what such a voice would have learned from."""
    if kind == "continuation":
        return [Example((Message("assistant", "\n".join(SPOKEN)),))]
    if kind == "post":
        return [
            Example((Message("user", INSTRUCTION.format(topic=line[:12])), Message("assistant", line)))
            for line in SPOKEN
        ]
    return [
        Example((Message("user", one), Message("assistant", other)))
        for one, other in zip(SPOKEN[::2], SPOKEN[1::2], strict=True)
    ]
