"""``manera forget``: a person or a message leaves a corpus, and the voices that know them are named."""

from pathlib import Path

from manera.cli import console
from manera.corpus.forgetting import forget_message, forget_speaker
from manera.errors import SettingsError
from manera.voice.stale import mark_stale


def forget(folder: Path, speaker: str | None, message: str | None, as_json: bool) -> None:
    """Forget, mark the voices that have learned from it, and say what is left to do."""
    if (speaker is None) == (message is None):
        raise SettingsError("say whom or what to forget", f"manera forget {folder} --speaker NAME, or --message ID")
    gone = forget_speaker(folder, speaker) if speaker is not None else forget_message(folder, message or "")
    stale = list(mark_stale(gone.keys, gone.speakers))
    runs = _unfinished(gone.earlier)
    if as_json:
        console.result({"forgotten": gone.utterances, "stale_voices": stale, "unfinished_runs": runs})
        return
    console.show(f"forgot {gone.utterances:,} utterances; {gone.manifest.ledger.kept:,} are left in {folder}")
    for voice in stale:
        console.show(f"stale: {voice} has learned from them; manera train {folder} --name {voice} --replace")
    for run in runs:
        console.show(f"unfinished: {run} has learned from them; manera runs --remove {run}")


def _unfinished(fingerprint: str) -> list[str]:
    from manera.training import checkpoint

    return [one.voice for one in checkpoint.unfinished() if one.origin.corpus == fingerprint]
