"""Voices asked the same: what each writes on the same held-out prompts."""

from collections.abc import Sequence

from manera.evaluation.asked import Task
from manera.evaluation.measures.spread import spread
from manera.evaluation.opening import Options, open_voice


def held_out_prompts(voice: str, count: int) -> list[Task]:
    """Return some of what a voice's person answered in the text that was held out, evenly over all of it."""
    return spread(open_voice(voice, Options()).tasks, count)


def replies(voice: str, asked: Sequence[Task]) -> list[str]:
    """Let a voice write on each prompt, under its guard; with the same seed it writes the same."""
    opened = open_voice(voice, Options())
    prompts = opened.prompts.of(opened.encoders.voice, asked)
    with opened.writer.open_engine() as engine:
        return [one.text for one in opened.writer.write(engine, 1.0, prompts, opened.wrap)]
