"""``manera why``."""

from manera.cli import console
from manera.errors import ModelError
from manera.retrieval.origins import TrainingIndex, persona_messages
from manera.voice.dataset import training_examples
from manera.voice.manifest import read_voice


def why(voice: str, reply: str, count: int, as_json: bool) -> None:
    """Show the training messages that a reply is nearest to."""
    read_voice(voice)
    index = TrainingIndex(persona_messages(training_examples(voice)))
    if not index.messages:
        raise ModelError(f"the voice {voice!r} came without its training text", "ask where it was trained")
    origins = index.nearest(reply, count)
    if as_json:
        console.result({"voice": voice, "reply": reply, "origins": origins})
        return
    if not origins:
        console.show("no training message has a word of it")
    for origin in origins:
        console.show(
            f"likeness {origin.similarity:.2f}, {origin.overlap:.0%} of its runs of three words, "
            f"longest shared: {origin.longest_run!r}"
        )
        if origin.message.answers:
            console.show(f"    > {origin.message.answers}")
        console.show(f"    {origin.message.text}\n")
