"""What an address asks of those who come: its name on loopback, a key elsewhere."""

from pathlib import Path

import httpx2
import pytest

from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.serving.app import create_app_on
from manera.serving.catalogue import Catalogue
from manera.serving.listening import listen, serve_in_thread
from running import running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))


@pytest.fixture
def catalogue(tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Catalogue:
    return Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)


def test_loopback_is_served_from_a_thread_without_a_key_until_the_block_ends(catalogue: Catalogue) -> None:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    models = f"http://127.0.0.1:{port}/v1/models"
    with serve_in_thread(create_app_on("127.0.0.1", catalogue), "127.0.0.1", port):
        assert httpx2.get(models, timeout=60).status_code == 200
        assert httpx2.get(models, timeout=60, headers={"host": "elsewhere.example"}).status_code != 200
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(models)


def test_any_other_address_asks_for_a_key(catalogue: Catalogue) -> None:
    with running(create_app_on("0.0.0.0", catalogue)) as url:
        assert httpx2.get(f"{url}/v1/models", timeout=60).status_code == 401
