"""Every error that manera raises on purpose.

    ManeraError
    ├── SettingsError       manera.toml, the environment, a flag
    ├── SourceError         a file that cannot be read as words
    ├── CorpusError         a corpus, its speakers, its splits
    ├── DatasetError        examples, templates, labels
    ├── ModelError          a base model, a vocabulary, an adapter, a voice's folder
    ├── TrainingError       a run that cannot start or go on
    ├── GenerationError     an engine that cannot answer
    ├── SynthesisError      a style, topics or texts that a model writes
    ├── ExportError         a folder for other programs, its parity, an upload
    ├── EvaluationError     a voice that cannot be measured
    ├── StoreError          the store of what was talked about
    ├── JobError            an upload, or a training asked for over the API
    ├── ServingError        an address, a port, a request
    └── FaceError           the page or the bot

Only ``cli`` and ``serving`` turn them into an exit code or a response.
"""


class ManeraError(Exception):
    """Say what went wrong, where and with which value; ``hint`` says what to do next."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(ManeraError):
    """A setting has an unknown name or an impossible value."""


class SourceError(ManeraError):
    """A file is missing, empty, broken or of an unknown format."""


class CorpusError(ManeraError):
    """A corpus is missing, or has too little of the chosen speaker."""


class DatasetError(ManeraError):
    """An example, a template or a label would teach the wrong thing."""


class ModelError(ManeraError):
    """A base model, a vocabulary or a voice cannot be loaded or does not fit."""


class TrainingError(ManeraError):
    """A training run cannot start or cannot go on."""


class GenerationError(ManeraError):
    """An engine cannot answer."""


class SynthesisError(ManeraError):
    """A corpus cannot be written by a model: its style, its topics, or nothing that is worth keeping."""


class ExportError(ManeraError):
    """An export differs from its voice, or cannot be written or uploaded."""


class EvaluationError(ManeraError):
    """A voice, or a part of a report, cannot be measured."""


class ServingError(ManeraError):
    """The server cannot listen, or a request cannot be served."""


class StoreError(ManeraError):
    """The store of past talk cannot be opened, read or written; place: the file or URL that the message names."""

    def __init__(self, message: str, hint: str | None = None, place: str | None = None) -> None:
        super().__init__(message, hint)
        self.place = place


class JobError(ManeraError):
    """An upload cannot be imported, or a training cannot be started, stopped or followed."""


class FaceError(ManeraError):
    """The page or the bot cannot start or go on."""
