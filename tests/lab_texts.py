"""Real text for what learns from nothing."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "examples" / "play-ru" / "dacha.txt").read_text("utf-8")
PROSE = ROOT / "src" / "manera" / "training" / "texts" / "replay-ru.txt"
