"""What base and voice wrote on the tasks, beside what the person really wrote."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from manera.evaluation.asked import Prompts, Task
from manera.evaluation.budget import Budget
from manera.evaluation.encoders import Encoders
from manera.evaluation.measures.spread import spread
from manera.evaluation.report.findings import SideBySide
from manera.evaluation.rungs import BASE, RUNGS, UNGUARDED, VOICE, Prefixes, Rung
from manera.evaluation.writing import Wrap, Writer, Written, as_it_is
from manera.generation.engine import Engine


class Answers(NamedTuple):
    """The tasks, and what was written on all of them by base and voice, on fewer of them by the other rungs.

    written: by the name of a rung, or ``UNGUARDED``.
    """

    tasks: Sequence[Task]
    written: Mapping[str, Sequence[Written]]

    @property
    def conversations(self) -> list[int]:
        """The conversation of each task: what was written in one is drawn together."""
        return [task.conversation for task in self.tasks]

    def texts_of(self, who: str) -> list[str]:
        """Return the texts of a rung; none where it wrote nothing."""
        return [one.text for one in self.written.get(who, ())]

    def texts(self) -> dict[str, list[str]]:
        """Return what was really written on the tasks, and what base and voice wrote."""
        real = [task.reply for task in self.tasks]
        return {"real": real, **{who: self.texts_of(who) for who in (BASE.name, VOICE.name)}}

    def side_by_side(self) -> list[SideBySide]:
        """Put what was written on each prompt together."""
        made = self.texts()
        rows = zip(self.tasks, made[BASE.name], made[VOICE.name], strict=True)
        return [SideBySide(task.asked, base, voice, task.reply) for task, base, voice in rows]


class RungWriter(NamedTuple):
    """What writes on tasks as each rung of the ladder does; the voice is wrapped as it is used."""

    writer: Writer
    prompts: Prompts
    encoders: Encoders
    prefixes: Prefixes
    wrap: Wrap

    def answers(self, tasks: Sequence[Task], budget: Budget) -> Answers:
        """Write on the tasks with base and voice, and on fewer of them with the other rungs."""
        with self.writer.open_engine() as engine:
            found = {
                BASE.name: self._write(engine, BASE, tasks),
                VOICE.name: self._write(engine, VOICE, tasks),
            }
            if budget.with_unguarded:
                found[UNGUARDED] = self.writer.write(engine, 1.0, self.prompts.of(self.encoders.voice, tasks))
            for rung in RUNGS if budget.rung_texts else ():
                if rung not in (BASE, VOICE):
                    found[rung.name] = self._write(engine, rung, spread(tasks, budget.rung_texts))
        return Answers(tasks, found)

    def _write(self, engine: Engine, rung: Rung, tasks: Sequence[Task]) -> list[Written]:
        encoder = self.encoders.at(rung.voice_scale)

        def before(task: Task, room: int) -> list[int]:
            return self.prefixes.of(rung, task.asked, encoder)[:room]

        wrap = self.wrap if rung.voice_scale else as_it_is
        return self.writer.write(engine, rung.voice_scale, self.prompts.of(encoder, tasks, before), wrap)
