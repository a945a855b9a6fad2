"""Writing under a guard: read along, take back what may not be, forbid it there, and write on."""

from collections import Counter
from collections.abc import Callable
from threading import Event
from time import perf_counter

import msgspec

from manera.generation.engine import Finished, FinishReason, PromptTooLongError, Request, Token
from manera.generation.guard import RUN_WORDS, WORD, Guard, run_hash, word_hash

Deliver = Callable[[Token], None]
Ask = Callable[[Request, Deliver, Event], Finished]

FORBIDDEN = -100.0
MOST_ATTEMPTS = 8
"""How often something else is tried at one place before the reply ends there."""

MOST_REPEATS = 2
"""How often a reply may repeat a run of its own words: one that goes on repeating never ends by itself."""


def write(ask: Ask, request: Request, deliver: Deliver, cancelled: Event) -> Finished:
    """Let an engine make a reply that obeys its request's guard; without one, just make it."""
    if request.guard is None:
        return ask(request, deliver, cancelled)
    return _Guarded(ask, request, request.guard, deliver, cancelled).write()


class _StepBackError(Exception):
    """Raised through an engine to end its reply: what was written from ``place`` up to ``end`` may not be."""

    def __init__(self, place: int, end: int, is_foreign: bool = False) -> None:
        super().__init__()
        self.place = place
        self.end = end
        self.is_foreign = is_foreign


class _EndedError(Exception):
    """Raised through an engine when a reply is over at ``place``."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


class _Guarded:
    """One reply under a guard: its text so far, and the tokens of it that are held back.

    A step back begins at a token that was not delivered, so what was delivered stays.
    """

    def __init__(self, ask: Ask, request: Request, guard: Guard, deliver: Deliver, cancelled: Event) -> None:
        self.ask = ask
        self.guard = guard
        self.deliver = deliver
        self.cancelled = cancelled
        self.request = msgspec.structs.replace(request, guard=None, stop=(*request.stop, *guard.headers))
        self.text = ""
        self.tokens: list[Token] = []  # held back
        self.delivered = 0  # characters
        self.new_tokens = 0
        self.steps_back: Counter[int] = Counter()
        self.forbidden: dict[int, set[int]] = {}
        self.bans_foreign = False
        self.is_stepping = False  # whether only one token is to be asked for, because something is forbidden there
        self.seam = 0  # where the engine was last asked to write on: it has not seen what stop strings came before
        self.read_to = 0
        self.hashes: list[int] = []
        self.ends_of_words: list[int] = []
        self.own_runs: Counter[int] = Counter()
        self.is_repeating = False
        self.started = perf_counter()
        self.first_token_at: float | None = None

    def write(self) -> Finished:
        """Write the whole reply."""
        reason: FinishReason | None = None
        while reason is None:
            try:
                reason = self._write_on()
            except _StepBackError as fault:
                reason = self._step_back(fault)
            except _EndedError as ended:
                self._cut(ended.place)
                reason = "stop"
            except PromptTooLongError:
                if not self.text:
                    raise
                reason = "length"
        if reason != "cancelled":
            self._drop_unfit_end()
            self._hand_on(len(self.text))
        ended_at = perf_counter()
        first = self.first_token_at if self.first_token_at is not None else ended_at
        return Finished(
            reason,
            len(self.request.prompt),
            self.new_tokens,
            first - self.started,
            ended_at - self.started,
            self.steps_back.total() + self.is_repeating,
        )

    def _write_on(self) -> FinishReason | None:
        """Ask the engine once; return why the reply ended, or None where there is more to ask for."""
        before, is_one_step = self.new_tokens, self.is_stepping
        self.is_stepping = False
        finished = self.ask(self._next_request(is_one_step), self._take, self.cancelled)
        self.new_tokens = before + finished.new_tokens
        if finished.reason == "length" and is_one_step and self._room() > 0:
            return None
        if finished.reason != "cancelled":
            self._read(is_ended=True)
        if finished.reason == "stop":
            self._require_words()
        return finished.reason

    def _drop_unfit_end(self) -> None:
        """Leave out a last word that may not be, where there is no room or no way left to write another."""
        try:
            self._read(is_ended=True)
        except (_StepBackError, _EndedError) as fault:
            self._cut(fault.place)

    def _room(self) -> int:
        return self.request.sampling.max_new_tokens - self.new_tokens

    def _next_request(self, is_one_step: bool) -> Request:
        """Ask to write on from the text so far: a single token where something is forbidden, else all that is left."""
        self.seam = len(self.text)
        forbidden = self.forbidden[self.seam] if is_one_step else set()
        if self.bans_foreign:
            forbidden = forbidden.union(self.guard.foreign_tokens)
        sampling, steps_back = self.request.sampling, self.steps_back.total()
        return msgspec.structs.replace(
            self.request,
            prompt=[*self.request.prompt, *self.guard.encoder.text(self.text)],
            sampling=msgspec.structs.replace(
                sampling,
                max_new_tokens=1 if is_one_step else self._room(),
                seed=None if sampling.seed is None else sampling.seed + steps_back,
            ),
            logit_bias={**self.request.logit_bias, **dict.fromkeys(forbidden, FORBIDDEN)},
        )

    def _take(self, token: Token) -> None:
        self.new_tokens += 1
        self.text += token.text
        self.tokens.append(token)
        self._require_own_script(token)
        self._read(is_ended=False)
        self._hand_on(self._safe_end())

    def _require_own_script(self, token: Token) -> None:
        foreign = self.guard.foreign(token.text)
        if foreign is not None:
            place = self.text.index(foreign, len(self.text) - len(token.text))
            raise self._fault(place, place + 1, is_foreign=True)

    def _read(self, is_ended: bool) -> None:
        """Look at what has been added since the last time; raise where something may not stay."""
        self._look_for_stops()
        if self.guard.fillers is not None:
            found = self.guard.fillers.search(self.text, self.delivered)
            if found:
                raise self._fault(*found.span())
        for header in self.guard.headers:  # the engine stops before a header, but for one that opens the reply
            if self.text.startswith(header[1:]):
                raise self._fault(0, len(header) - 1)
        for word in WORD.finditer(self.text, self.read_to):
            if word.end() == len(self.text) and not is_ended:
                break
            self._read_word(word[0].casefold(), word.start(), word.end())

    def _read_word(self, word: str, start: int, end: int) -> None:
        hashes = [*self.hashes[-(RUN_WORDS - 1) :], word_hash(word)]
        if len(hashes) == RUN_WORDS:
            run = run_hash(hashes)
            if self.guard.is_copied(run):
                raise self._fault(start, end)
            self.own_runs[run] += 1
            if self.own_runs[run] > MOST_REPEATS:
                self.is_repeating = True
                raise _EndedError(max(self.delivered, self.ends_of_words[-1]))
        self.hashes.append(hashes[-1])
        self.ends_of_words.append(end)
        self.read_to = end

    def _look_for_stops(self) -> None:
        """Find stop strings that begin before the place where the engine wrote on."""
        for stop in self.request.stop if self.seam else ():
            found = self.text.find(stop, max(0, self.seam - len(stop) + 1), self.seam + len(stop) - 1)
            if found >= 0:
                raise _EndedError(max(found, self.delivered))

    def _safe_end(self) -> int:
        """Return up to where the text stays, whatever comes."""
        safe = len(self.text)
        if len(self.hashes) >= RUN_WORDS - 1 and self.guard.may_be_copied(run_hash(self.hashes[-(RUN_WORDS - 1) :])):
            safe = self.ends_of_words[-1]
        for length in range(min(self.guard.longest_filler, len(self.text)), 0, -1):
            if self.text[-length:].lower() in self.guard.filler_beginnings:
                return min(safe, len(self.text) - length)
        if any(header[1:].startswith(self.text) for header in self.guard.headers):
            return 0
        return safe

    def _hand_on(self, safe: int) -> None:
        """Deliver the tokens that lie wholly before this place."""
        while self.tokens and self.delivered + len(self.tokens[0].text) <= safe:
            token = self.tokens.pop(0)
            self.delivered += len(token.text)
            if self.first_token_at is None:
                self.first_token_at = perf_counter()
            self.deliver(token)

    def _fault(self, start: int, end: int, is_foreign: bool = False) -> _StepBackError:
        """Name the token with which something began that may not be; of what was delivered nothing is taken back."""
        place = self.delivered
        for token in self.tokens:
            if place + len(token.text) > start:
                break
            place += len(token.text)
        return _StepBackError(place, end, is_foreign)

    def _require_words(self) -> None:
        """Ask once more where the reply ended before it began."""
        if not self.text.strip() and not self.steps_back[0]:
            raise _StepBackError(0, 0)

    def _step_back(self, fault: _StepBackError) -> FinishReason | None:
        """Take back what may not be, and forbid it at its place; return why the reply ends, if it has to."""
        self.steps_back[fault.place] += 1
        if self.steps_back[fault.place] > MOST_ATTEMPTS or self._room() <= 0:
            self._cut(fault.place)
            return "stop" if self._room() > 0 else "length"
        forbidden = self.forbidden.setdefault(fault.place, set())
        if fault.end > fault.place:
            forbidden.update(self.guard.ways_to_write(self.text[fault.place : fault.end]))
        else:
            forbidden.add(self.guard.encoder.end_of_turn)
        self.bans_foreign |= fault.is_foreign
        self.is_stepping = True
        self._cut(fault.place)
        return None

    def _cut(self, place: int) -> None:
        """Forget everything from this place on; nothing of it has been delivered."""
        self.text = self.text[:place]
        kept, begins = [], self.delivered
        for token in self.tokens:
            if begins < place:
                kept.append(msgspec.structs.replace(token, text=token.text[: place - begins]))
            begins += len(token.text)
        self.tokens = kept
        self.read_to, self.hashes, self.ends_of_words, self.own_runs = 0, [], [], Counter()
        for word in WORD.finditer(self.text):
            if word.end() < place:
                self._read_word(word[0].casefold(), word.start(), word.end())
