"""What tests take of an example, and how much they measure: enough to tell, and soon done."""

import json
from pathlib import Path

import msgspec

from manera.evaluation.budget import FAST

EXAMPLES = Path(__file__).parent.parent / "examples"
POSTS = 40
BUDGET = msgspec.structs.replace(FAST, scored_tokens=300, texts=8, words=100, pieces=30, replies=1)
"""For tests that do not ask what the samples say."""


def first_posts(channel: str, folder: Path) -> Path:
    """Write an export with the first posts of an example into a folder, and return the folder."""
    export = json.loads((EXAMPLES / channel / "result.json").read_bytes())
    export["messages"] = export["messages"][:POSTS]
    (folder / "result.json").write_text(json.dumps(export), "utf-8")
    return folder


def first_scenes(folder: Path) -> Path:
    """Write the first three scenes of a play into a folder, and return the file."""
    play = (EXAMPLES / "play-ru" / "dacha.txt").read_text("utf-8")
    (folder / "dacha.txt").write_text(play[: play.index("Явление 4")], "utf-8")
    return folder / "dacha.txt"
