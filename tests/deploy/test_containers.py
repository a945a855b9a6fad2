"""The image, really built; the containers, really run by Compose: what they serve, keep, log and may not do."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import services
from containers import IMAGE, Engine, build, docker_api, engine, require_tools
from services import settings

from adapted import write_adapted_voice
from waiting import until

pytestmark = pytest.mark.slow(400)

USER = 10001
TOKEN = "42:the-token-of-a-test"
SECONDS_TO_ANSWER = 60
SECRET = "незабудковый"
HELLO = {"model": "anna", "messages": [{"role": "user", "content": SECRET}], "max_tokens": 8, "temperature": 0}


class Started(NamedTuple):
    """The containers that `make run` started, and how they are reached."""

    engine: Engine
    env: Path
    api: str
    page: str
    key: str

    def compose(self, *words: str) -> str:
        """Run a command of Compose on them."""
        command = ["docker-compose", "--env-file", str(self.env), "--file", "deploy/compose.yaml"]
        return self.engine.run(*command, *words)

    def ask(self, path: str, body: object = None, key: str | None = None) -> httpx2.Response:
        """Ask the API."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        method = "GET" if body is None else "POST"
        return httpx2.request(method, f"{self.api}{path}", json=body, headers=headers, timeout=120)

    def inside(self, role: str, *command: str) -> str:
        """Run a command in a role's container."""
        return self.engine.podman("exec", f"manera-{role}-1", *command)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def put_voice(engine: Engine, tiny_base: Path, home: Path) -> None:
    """Lay a tiny base and a voice on it into the volume, as their user's."""
    write_adapted_voice(tiny_base, "anna")
    engine.podman("volume", "create", "manera_home")
    (home / "bases").mkdir(exist_ok=True)
    engine.run("cp", "--recursive", str(tiny_base), str(home / "bases" / "tiny"))
    volume = engine.podman("volume", "inspect", "manera_home", "--format", "{{.Mountpoint}}").strip()
    engine.run("cp", "--recursive", f"{home}/bases", f"{home}/voices", volume)
    engine.run("chown", "--recursive", f"{USER}:{USER}", volume)
    engine.run("chmod", "0700", volume)


@pytest.fixture(scope="module")
def image() -> Iterator[Engine]:
    require_tools()
    with engine() as made:
        build(made)
        yield made


@pytest.fixture(scope="module")
def started(image: Engine, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = tmp_path_factory.mktemp("deploy")
    with pytest.MonkeyPatch.context() as patch, docker_api(image):
        patch.setenv("MANERA_HOME", str(folder))
        put_voice(image, tiny_base, folder)
        ports = {"MANERA_API_PORT": str(free_port()), "MANERA_WEB_PORT": str(free_port()), "MANERA_IMAGE": IMAGE}
        for name, value in (image.environment | ports).items():
            patch.setenv(name, value)
        image.environment.update(ports)
        given = settings(folder / ".env")
        api, page = services.api_address(given), services.page_address(given)
        services.main("run", folder / ".env")
        yield Started(image, folder / ".env", api, page, given["MANERA_API_KEY"])
        services.main("down", folder / ".env")


def test_the_api_answers_whoever_has_the_key(started: Started) -> None:
    assert started.ask("/v1/models", key="none").status_code == 401
    assert {model["id"] for model in started.ask("/v1/models").json()["data"]} >= {"anna"}
    assert started.ask("/v1/chat/completions", HELLO).json()["choices"][0]["message"]["content"]


def test_the_page_is_there_and_asks_for_its_password(started: Started) -> None:
    assert 'type="password"' in httpx2.get(started.page, timeout=30).text
    assert httpx2.get(f"{started.page}/config", timeout=30).status_code == 401
    given = settings(started.env)["MANERA_WEB_PASSWORD"]
    with httpx2.Client(base_url=started.page, follow_redirects=True, timeout=60) as browser:
        page = browser.post("/login", data={"password": given})
    assert page.status_code == 200
    assert 'type="password"' not in page.text


def test_a_container_may_do_little(started: Started) -> None:
    described = json.loads(started.engine.podman("inspect", "manera-api-1"))[0]
    assert described["HostConfig"]["ReadonlyRootfs"]
    assert described["State"]["Health"]["Status"] == "healthy"
    assert started.inside("api", "id", "--user").strip() == str(USER)
    status = dict(line.split(":\t", 1) for line in started.inside("api", "cat", "/proc/1/status").splitlines())
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")
    assert started.inside("api", "sh", "-c", "touch /opt/manera/x 2> /dev/null || echo read-only") == "read-only\n"


def test_the_containers_reach_each_other_by_name(started: Started) -> None:
    asks = "import urllib.request as u; print(u.urlopen('http://api:8000/healthz').read().decode())"
    assert json.loads(started.inside("studio", "/opt/manera/bin/python", "-c", asks)) == {"status": "ok"}


def test_volumes_and_logs_survive_down_and_up(started: Started) -> None:
    before = started.ask("/v1/chat/completions", HELLO).json()["choices"]
    services.main("down", started.env)
    assert started.engine.podman("ps", "--all", "--quiet") == ""
    services.main("run", started.env)
    assert started.ask("/v1/chat/completions", HELLO).json()["choices"] == before
    logged = started.inside("api", "cat", "/var/log/manera/api.log")
    assert logged.count("POST /v1/chat/completions: 200") >= 2
    assert started.inside("api", "stat", "--format", "%a", "/var/log/manera/api.log").strip() == "600"
    assert SECRET not in logged + started.engine.podman("logs", "manera-api-1")


def test_the_bot_answers_through_the_network(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    port = str(free_port())
    given = {"TELEGRAM_PORT": port, "BOT_TOKEN": TOKEN, "BOT_VOICE": "anna", "BOT_PACE": "none"}
    started.engine.environment.update(given)
    words = ["--file", "tests/deploy/compose.telegram.yaml", "--profile", "bot"]
    started.compose(*words, "up", "--detach", "--no-build", "--wait", "telegram", "bot")
    try:
        person = {"id": 7, "is_bot": False, "first_name": "Olga", "language_code": "ru"}
        place = {"id": 7, "type": "private"}
        said = {"message_id": 1, "date": 1_700_000_000, "chat": place, "from": person, "text": SECRET}
        httpx2.post(f"http://127.0.0.1:{port}/said", json={"message": said})
        assert answered(f"http://127.0.0.1:{port}/calls")["fields"]["chat_id"] == "7"
        for role in ("bot", "api"):
            logged = started.inside(role, "cat", f"/var/log/manera/{role}.log")
            assert "POST /v1/chat/completions: 200" in logged
            assert SECRET not in logged + started.engine.podman("logs", f"manera-{role}-1")
    finally:
        started.compose(*words, "rm", "--stop", "--force", "telegram", "bot")


def answered(calls: str) -> dict[str, Any]:
    """Wait for the bot's first message; return the call that sent it."""

    def sent() -> list[dict[str, Any]]:
        called: list[dict[str, Any]] = httpx2.get(calls).json()
        return [call for call in called if call["method"] == "sendMessage"]

    until(sent, SECONDS_TO_ANSWER)
    return sent()[0]


def test_a_signal_ends_the_api_at_once(started: Started) -> None:
    started.compose("stop", "--timeout", "20", "api")
    assert json.loads(started.engine.podman("inspect", "manera-api-1"))[0]["State"]["ExitCode"] in (0, 143)
    services.main("run", started.env)
