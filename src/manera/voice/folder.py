"""Where a voice lies, and what its files are called.

voices/<name>/manera.json                   Voice
             /adapter_config.json           PEFT
             /adapter_model.safetensors     PEFT
             /adapter.gguf                  llama.cpp
             /training.jsonl                one TrainingStep a line
             /training.svg                  its losses
             /canaries.jsonl                one planted Canary a line, where there are any
             /unread.json                   what the kept point had not read of the training text, where there is any
             /exchanges.jsonl               one Exchange a line, where the persona answered anybody
             /exchanges.index               what they are recalled by, an SQLite file
             /relations.json                Relations, which the owner may edit
             /rhythm.json                   Rhythm, where times taught one
             /rhythm-turns.json             Compared: what the rhythm is measured on
             /dataset/{train,validation,test}.jsonl
             /dataset/rewrites.jsonl        pairs of a plain draft and the person's text, where it rewrites
             /dataset/instructions.jsonl    what a model made to ask with, one Made a line, where one was asked
             /known.hashes                  which utterances there were: 8 bytes each
             /preferences.jsonl             what people preferred of what it wrote, where they said so
             /lab.json                      how a model from nothing was made, where it is one
             /stale.json                    Stale, where it knows what was forgotten since
"""

import re
import unicodedata
from pathlib import Path

from manera import config
from manera.errors import ModelError
from manera.files import unfinished_beside

MANIFEST = "manera.json"
ADAPTER_GGUF = "adapter.gguf"
TRAINING = "training.jsonl"
LOSSES = "training.svg"
CANARIES = "canaries.jsonl"
UNREAD = "unread.json"
EXCHANGES = "exchanges.jsonl"
EXCHANGES_INDEX = "exchanges.index"
RELATIONS = "relations.json"
RHYTHM = "rhythm.json"
RHYTHM_TURNS = "rhythm-turns.json"
DATASET = "dataset"
REWRITES = "rewrites.jsonl"
INSTRUCTIONS = "instructions.jsonl"
KNOWN = "known.hashes"
PREFERENCES = "preferences.jsonl"
STALE = "stale.json"
LAB = "lab.json"
_NAME = re.compile(r"[^\W_](?:[\w.-]{0,62}[\w-])?")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in "123456789")}
)
"""What Windows takes for devices, whatever follows the dot; a voice may be carried there."""


def voices_folder() -> Path:
    """Return the folder in which voices live."""
    return config.home() / "voices"


def voice_folder(name: str) -> Path:
    """Return where a voice of this name lives or would live; raise ModelError for an impossible name.

    Names are composed (NFC), as keyboards write them: macOS gives ``й`` as two characters.
    """
    name = unicodedata.normalize("NFC", name)
    if not _NAME.fullmatch(name) or name.partition(".")[0].lower() in _DEVICES:
        raise ModelError(
            f"{name!r} cannot name a voice",
            "use up to 64 letters, digits, dots, dashes and underscores; begin with a letter, end without a dot",
        )
    return voices_folder() / name


def voice_names() -> list[str]:
    """Return the names of all voices that are there, readable or not, in order."""
    return [manifest.parent.name for manifest in sorted(voices_folder().glob(f"*/{MANIFEST}"))]


def is_there(name: str) -> bool:
    """Tell whether there is a voice of this name, readable or not."""
    return (voice_folder(name) / MANIFEST).exists()


def name_for(speaker: str) -> str:
    """Propose a voice's name for a speaker's: lower case, words joined by dashes."""
    return re.sub(r"[\W_]+", "-", speaker.lower()).strip("-")[:64] or "voice"


def name_on(voice: str, base: str) -> str:
    """Propose a name for one of several voices of a person, each on another base; base: its name or place."""
    return f"{voice[:32]}-{name_for(Path(base).name)}"[:64].rstrip("-")


def remove_voice(name: str) -> None:
    """Remove a voice's folder at once: nobody sees it half gone. Raises ModelError."""
    folder = voice_folder(name)
    with unfinished_beside(folder) as removed:
        folder.rename(removed / "removed")


def adapter_file(name: str) -> Path:
    """Return the file that llama.cpp takes a voice's adapter from."""
    return voice_folder(name) / ADAPTER_GGUF
