"""`make up` where no Docker is: secrets of its own, processes that are waited for and ended."""

import socket
import stat
import sys
from pathlib import Path

import httpx2
import pytest
import services
from services import FOLDER, SECRETS, Role, api_address, page_address, roles, settings, start, without_docker

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without manera's settings."""
    for name in [*SECRETS, "MANERA_ADDRESS", "MANERA_API_PORT", "MANERA_WEB_PORT", "COMPOSE_PROFILES", "BOT_VOICE"]:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("bare")
def test_settings_are_made_once_with_fresh_secrets(tmp_path: Path) -> None:
    first, second = settings(tmp_path / "a.env"), settings(tmp_path / "b.env")
    assert stat.S_IMODE((tmp_path / "a.env").stat().st_mode) == 0o600
    for name in SECRETS:
        assert len(first[name]) > 40
        assert first[name] != second[name]
    assert settings(tmp_path / "a.env") == first
    assert (page_address(first), api_address(first)) == ("http://127.0.0.1:7860", "http://127.0.0.1:8000")
    assert [role.name for role in roles(first)] == ["api", "studio"]


@pytest.mark.usefixtures("bare")
def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "of.env"
    file.write_text(
        '# MANERA_WEB_PORT=1\nA = "b"\nMANERA_STORE_URL=x://${A}@c\nMANERA_API_PORT=9\nMANERA_ADDRESS=0.0.0.0\n'
    )
    monkeypatch.setenv("MANERA_API_PORT", "8001")
    monkeypatch.setenv("COMPOSE_PROFILES", "postgres,bot")
    monkeypatch.setenv("BOT_VOICE", "anna")
    given = settings(file)
    assert given["MANERA_STORE_URL"] == "x://b@c"
    assert api_address(given) == "http://127.0.0.1:8001"
    api, studio, bot = roles(given)
    assert api.words == ["serve", "--host", "0.0.0.0", "--port", "8001"]
    assert studio.words == ["web", "--api", "http://127.0.0.1:8001", "--host", "0.0.0.0", "--port", "7860"]
    assert bot.words == ["bot", "anna"]


def test_every_setting_of_the_containers_is_in_the_example() -> None:
    import yaml

    example = (FOLDER / ".env.example").read_text("utf-8")
    described = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
    given = {
        name
        for service in described["services"].values()
        for name, value in service["environment"].items()
        if value is None or value.startswith("${")
    }
    assert "MANERA_API_KEY" in given
    assert [name for name in given - {"BOT_API_URL"} if f"{name}=" not in example] == []


@pytest.mark.usefixtures("bare")
def test_processes_are_started_waited_for_and_ended(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases" / "tiny").symlink_to(tiny_base)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    monkeypatch.setenv("MANERA_API_PORT", str(port))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "src"))
    monkeypatch.setattr(services, "BIN", Path(sys.executable).parent)
    given, run = settings(tmp_path / ".env"), tmp_path / ".run"
    api = roles(given)[:1]
    try:
        without_docker("up", given, run, api)
        without_docker("up", given, run, api)
        bearer = {"authorization": f"Bearer {given['MANERA_API_KEY']}"}
        asked = f"{api_address(given)}/v1/models"
        assert [httpx2.get(asked).status_code, httpx2.get(asked, headers=bearer).status_code] == [401, 200]
    finally:
        without_docker("stop", given, run, api)
    assert capsys.readouterr().err.splitlines()[-3:] == ["api runs", "api runs already", "api ended"]
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(asked)
    assert not list(run.glob("*.pid"))
    assert "GET none: 401" in (tmp_path / "logs" / "api.log").read_text("utf-8")
    assert "GET /v1/models" not in (run / "api.out").read_text("utf-8")
    without_docker("down", given, run, api)


@pytest.mark.usefixtures("bare")
def test_a_process_that_ends_at_once_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "src"))
    monkeypatch.setattr(services, "BIN", Path(sys.executable).parent)
    wrong = Role("api", ["serve", "nobody"], "http://127.0.0.1:9/readyz")
    with pytest.raises(SystemExit, match=r"api ended at once; it said:(.|\n)*nobody"):
        start(wrong, settings(tmp_path / ".env"), tmp_path / ".run")


def test_docker_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\n[ "$2" = version ]\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(SystemExit, match="does not answer"):
        services.compose(tmp_path / ".env")
