"""The image, really built; the containers, really run by Compose: what they serve, keep, log and may not do."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
import services
from containers import IMAGE, Engine, build, docker_api, engine, require_tools
from services import settings

from adapted import write_adapted_voice
from manera.cli.main import app

pytestmark = pytest.mark.slow

USER = 10001
SECRET = "незабудковый"
HELLO = {"model": "anna", "messages": [{"role": "user", "content": SECRET}], "max_tokens": 8, "temperature": 0}


COMMANDS = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
needs_page = pytest.mark.skipif("web" not in COMMANDS, reason="there is no page yet")


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

    def up(self) -> None:
        """Do what `make run` does; as long as there is no page, for the API only."""
        if "web" in COMMANDS:
            services.main("run", self.env)
        else:
            self.compose("up", "--detach", "--no-build", "--wait", "api")

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
        running = Started(image, folder / ".env", api, page, given["MANERA_API_KEY"])
        running.up()
        yield running
        services.main("down", folder / ".env")


def test_the_api_answers_whoever_has_the_key(started: Started) -> None:
    assert started.ask("/v1/models", key="none").status_code == 401
    assert {model["id"] for model in started.ask("/v1/models").json()["data"]} >= {"anna"}
    assert started.ask("/v1/chat/completions", HELLO).json()["choices"][0]["message"]["content"]


@needs_page
def test_the_page_is_there_and_asks_for_its_password(started: Started) -> None:
    assert httpx2.get(started.page, follow_redirects=True, timeout=30).status_code in (200, 401)
    assert httpx2.get(f"{started.page}/config", timeout=30).status_code == 401


def test_a_container_may_do_little(started: Started) -> None:
    described = json.loads(started.engine.podman("inspect", "manera-api-1"))[0]
    assert described["HostConfig"]["ReadonlyRootfs"]
    assert described["State"]["Health"]["Status"] == "healthy"
    assert started.inside("api", "id", "--user").strip() == str(USER)
    status = dict(line.split(":\t", 1) for line in started.inside("api", "cat", "/proc/1/status").splitlines())
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")
    assert started.inside("api", "sh", "-c", "touch /opt/manera/x 2> /dev/null || echo read-only") == "read-only\n"


@needs_page
def test_the_containers_reach_each_other_by_name(started: Started) -> None:
    asks = "import urllib.request as u; print(u.urlopen('http://api:8000/healthz').read().decode())"
    assert json.loads(started.inside("studio", "/opt/manera/bin/python", "-c", asks)) == {"status": "ok"}


def test_volumes_and_logs_survive_down_and_up(started: Started) -> None:
    before = started.ask("/v1/chat/completions", HELLO).json()["choices"]
    services.main("down", started.env)
    assert started.engine.podman("ps", "--all", "--quiet") == ""
    started.up()
    assert started.ask("/v1/chat/completions", HELLO).json()["choices"] == before
    logged = started.inside("api", "cat", "/var/log/manera/api.log")
    assert logged.count("POST /v1/chat/completions: 200") >= 2
    assert started.inside("api", "stat", "--format", "%a", "/var/log/manera/api.log").strip() == "600"
    assert SECRET not in logged + started.engine.podman("logs", "manera-api-1")


def test_a_signal_ends_the_api_at_once(started: Started) -> None:
    started.compose("stop", "--timeout", "20", "api")
    assert json.loads(started.engine.podman("inspect", "manera-api-1"))[0]["State"]["ExitCode"] in (0, 143)
    started.up()
