"""What is written about the commands is what they say."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import reference  # noqa: E402


def test_the_reference_is_fresh() -> None:
    assert reference.PAGE.read_text("utf-8") == reference.page()
