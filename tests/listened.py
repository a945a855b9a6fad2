"""An engine that is listened to."""

from manera.generation.engine import Deliver, Engine, Finished, IsCancelled, Request


class Listened:
    """An engine that also tells what it was given to read."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.context_length = engine.context_length
        self.drafts = 1
        self.prompts: list[list[int]] = []

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        self.prompts.append(list(request.prompt))
        return self.engine.generate(request, deliver, is_cancelled)

    def close(self) -> None:
        self.engine.close()
