"""What every floor's tests may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real exports, books, plays and a blog, which are not part of the repository."""
    folder = Path(os.environ.get("MANERA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no shared data in {folder}: set MANERA_SHARED_DATA")
        pytest.skip(f"no shared data in {folder}")
    return folder
