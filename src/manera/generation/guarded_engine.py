"""Any engine, writing under a guard: read along, take back what may not be, forbid it there, and write on."""

from collections import Counter
from collections.abc import Collection
from time import perf_counter

import msgspec

from manera.generation.engine import (
    Deliver,
    Engine,
    Finished,
    FinishReason,
    IsCancelled,
    PromptTooLongError,
    Request,
    Token,
)
from manera.generation.guard import Guard
from manera.generation.manuscript import Manuscript
from manera.generation.matching import Matcher, Over, StepBack, Verdict, foreign

FORBIDDEN = -100.0
"""Added to the logit of a token that may not be written."""

MAX_ATTEMPTS = 8
"""How often something else is tried at one place before the reply ends there."""


def guarded(engine: Engine, guard: Guard | None) -> Engine:
    """Let an engine write under a guard; without one it stays as it is."""
    return engine if guard is None else GuardedEngine(engine, guard)


class GuardedEngine:
    """An engine whose replies obey a guard; see ``manera.generation.engine.Engine``.

    It is cheap to make, one for each writer; the engine within may have others.
    """

    def __init__(self, engine: Engine, guard: Guard) -> None:
        self._engine = engine
        self._guard = guard

    @property
    def context_length(self) -> int:
        """How many tokens a prompt and its reply may have together."""
        return self._engine.context_length

    @property
    def drafts(self) -> int:
        """How many drafts are worth writing while nothing else is written."""
        return self._engine.drafts

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        """Write one reply in the calling thread; see ``Engine.generate``."""
        return _Reply(self._engine, self._guard, request, deliver, is_cancelled).write()

    def close(self) -> None:
        """Close the engine within."""
        self._engine.close()


class _Retries:
    """Where a reply was taken back, and which tokens may not be written there.

    next: what the very next token may not be; None where no step back has just been made.
    """

    def __init__(self) -> None:
        self.next: Collection[int] | None = None
        self.bans_foreign = False
        self._attempts: Counter[int] = Counter()
        self._forbidden: dict[int, set[int]] = {}

    def add(self, place: int, tokens: Collection[int], is_foreign: bool) -> bool:
        """Forbid tokens at a place that was stepped back to; return whether it is worth another try."""
        self._attempts[place] += 1
        self.bans_foreign |= is_foreign
        self.next = self._forbidden.setdefault(place, set())
        self.next.update(tokens)
        return self._attempts[place] <= MAX_ATTEMPTS

    def total(self) -> int:
        """Return how many steps back there were."""
        return self._attempts.total()

    def reached(self, place: int) -> bool:
        """Tell whether there was a step back to this place or to one before it."""
        return any(attempted <= place for attempted in self._attempts)


class _Reply:
    """One reply under a guard: asks the engine to write on until it ends and nothing has to be taken back."""

    def __init__(
        self, engine: Engine, guard: Guard, request: Request, deliver: Deliver, is_cancelled: IsCancelled
    ) -> None:
        self._engine = engine
        self._guard = guard
        self._request = msgspec.structs.replace(request, stop=(*request.stop, *guard.headers))
        self._deliver = deliver
        self._is_cancelled = is_cancelled
        self._manuscript = Manuscript()
        self._matcher = Matcher(guard, self._request.stop)
        self._retries = _Retries()
        self._verdict: Verdict = None  # on what the engine is writing; any but None stops it
        self._seam = 0
        self._new_tokens = 0
        self._is_repeating = False
        self._first_token_at: float | None = None

    def write(self) -> Finished:
        """Write the whole reply."""
        started = perf_counter()
        reason: FinishReason | None = None
        while reason is None:
            reason = self._write_on()
        if reason != "cancelled":
            self._drop_unfit_end()
            self._hand_on(len(self._manuscript.text))
        ended = perf_counter()
        first = ended if self._first_token_at is None else self._first_token_at
        stepped_in = self._retries.total() + self._is_repeating
        return Finished(
            reason, len(self._request.prompt), self._new_tokens, first - started, ended - started, stepped_in
        )

    def _write_on(self) -> FinishReason | None:
        """Ask the engine once; return why the reply ended, or None where there is more to ask for."""
        forbidden, self._retries.next = self._retries.next, None
        try:
            reason = self._ask(self._next_request(forbidden))
        except PromptTooLongError:
            if not self._manuscript.text:
                raise
            return "length"
        if self._verdict is None:
            if reason == "length" and forbidden is not None and self._room() > 0:
                return None
            self._verdict = self._last_verdict(reason)
        return reason if self._verdict is None else self._obey(self._verdict)

    def _next_request(self, forbidden: Collection[int] | None) -> Request:
        """Ask to write on from the text so far: a single token where something is forbidden, else all that is left."""
        sampling, steps_back = self._request.sampling, self._retries.total()
        banned = {*(forbidden or ()), *(self._guard.foreign_tokens if self._retries.bans_foreign else ())}
        return msgspec.structs.replace(
            self._request,
            prompt=[*self._request.prompt, *self._guard.encoder.text(self._manuscript.text)],
            sampling=msgspec.structs.replace(
                sampling,
                max_new_tokens=self._room() if forbidden is None else 1,
                seed=None if sampling.seed is None else sampling.seed + steps_back,
            ),
            logit_bias={**self._request.logit_bias, **dict.fromkeys(banned, FORBIDDEN)},
        )

    def _ask(self, request: Request) -> FinishReason:
        """Let the engine write until it ends, or until a verdict stops it."""
        self._verdict = None
        self._seam = len(self._manuscript.text)
        finished = self._engine.generate(request, self._take, lambda: self._verdict is not None or self._is_cancelled())
        self._new_tokens += finished.new_tokens
        return finished.reason

    def _take(self, token: Token) -> None:
        if self._verdict is not None:
            return
        manuscript = self._manuscript
        manuscript.add(token)
        self._verdict = foreign(self._guard, manuscript.text, token) or self._matcher.verdict(
            manuscript, self._seam, is_ended=False
        )
        if self._verdict is None:
            self._hand_on(self._matcher.safe_end(manuscript.text))

    def _hand_on(self, end: int) -> None:
        """Deliver the tokens that lie wholly before this place."""
        for token in self._manuscript.release(end):
            if self._first_token_at is None:
                self._first_token_at = perf_counter()
            self._deliver(token)

    def _last_verdict(self, reason: FinishReason) -> Verdict:
        """Judge a reply that the engine has ended: its last word, and whether there is any."""
        if reason == "cancelled":
            return None
        verdict = self._matcher.verdict(self._manuscript, self._seam, is_ended=True)
        start = self._manuscript.delivered
        if (
            verdict is None
            and reason == "stop"
            and not self._manuscript.text.strip()
            and not self._retries.reached(start)
        ):
            return StepBack(start, start)
        return verdict

    def _obey(self, verdict: StepBack | Over) -> FinishReason | None:
        """Take back what may not stay; return why the reply ends, or None where something else is to be tried."""
        if isinstance(verdict, Over):
            self._cut(verdict)
            return "stop"
        unfit = self._manuscript.text[self._place(verdict) : verdict.end]
        tokens = self._guard.ways_to_write(unfit) if unfit else [self._guard.encoder.end_of_turn]
        is_worth_trying = self._retries.add(self._place(verdict), tokens, verdict.is_foreign)
        self._cut(verdict)
        if self._room() <= 0:
            return "length"
        return None if is_worth_trying else "stop"

    def _drop_unfit_end(self) -> None:
        """Leave out a last word that may not be, where there is no room or no way left to write another."""
        verdict = self._matcher.verdict(self._manuscript, self._seam, is_ended=True)
        if verdict is not None:
            self._cut(verdict)

    def _cut(self, verdict: StepBack | Over) -> None:
        self._is_repeating |= isinstance(verdict, Over) and verdict.is_repeating
        self._manuscript.cut(self._place(verdict))
        self._matcher.cut(self._manuscript.text)

    def _place(self, verdict: StepBack | Over) -> int:
        """Return where a verdict cuts: before a whole token, or where the reply ends; never in what was delivered."""
        if isinstance(verdict, StepBack):
            return self._manuscript.token_start(verdict.start)
        return max(verdict.place, self._manuscript.delivered)

    def _room(self) -> int:
        return self._request.sampling.max_new_tokens - self._new_tokens
