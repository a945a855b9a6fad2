"""What `make up` and its kin do: the API, the studio and the bot, in containers or, without Docker, from .venv.

python deploy/services.py up|down|build|run|stop|logs

.env              settings and secrets, made from deploy/.env.example where there is none
.run/<role>.pid   without Docker: locked as long as the role runs
.run/<role>.out   what it says on its console
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple, NoReturn
from urllib.error import HTTPError
from urllib.request import urlopen

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
BIN = ROOT / ".venv" / "bin"
SECRETS = ("MANERA_WEB_PASSWORD", "MANERA_API_KEY", "POSTGRES_PASSWORD")
SECONDS_TO_START = 600
SECONDS_TO_STOP = 45
LOOK_AGAIN_SECONDS = 0.2
LAST_LINES = 20

Settings = Mapping[str, str]


class Role(NamedTuple):
    """A process: the words after ``manera``, and where it answers when it is ready; None where nobody can ask."""

    name: str
    words: Sequence[str]
    ready_at: str | None


# Settings


def settings(path: Path) -> dict[str, str]:
    """Return what stands in .env, made with fresh secrets where there is none; the environment goes before it."""
    if not path.exists():
        write_settings(path)
        say(f"{path.name} is new, with secrets of its own: {', '.join(SECRETS)}")
    found: dict[str, str] = {}
    for line in path.read_text("utf-8").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = Template(value.strip().strip("\"'")).safe_substitute(found)
    return found | os.environ


def write_settings(path: Path) -> None:
    """Copy the example, with a random value for each secret, readable by its owner only."""
    lines = (FOLDER / ".env.example").read_text("utf-8").splitlines()
    filled = [f"{line}{secrets.token_urlsafe(32)}" if line.rstrip("=") in SECRETS else line for line in lines]
    with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write("\n".join(filled) + "\n")


def page_address(given: Settings) -> str:
    """Return where the studio is, as seen from this machine."""
    return f"http://{_reached(given)}:{given.get('MANERA_WEB_PORT', '7860')}"


def api_address(given: Settings) -> str:
    """Return where the API is, as seen from this machine."""
    return f"http://{_reached(given)}:{given.get('MANERA_API_PORT', '8000')}"


def _listens(given: Settings) -> str:
    return given.get("MANERA_ADDRESS", "127.0.0.1")


def _reached(given: Settings) -> str:
    return "127.0.0.1" if _listens(given) == "0.0.0.0" else _listens(given)


# With Docker


def compose(env: Path) -> list[str] | None:
    """Return the command that speaks to Docker, None where it is not installed; exit when Docker does not answer."""
    kinds = [kind for kind in (["docker", "compose"], ["docker-compose"]) if shutil.which(kind[0])]
    installed = [kind for kind in kinds if succeeds([*kind, "version"])]
    answering = [kind for kind in installed if succeeds([*kind, "ls"])]
    if installed and not answering:
        fail("Docker is installed, but does not answer", "start it; or try: docker info")
    files = ["--env-file", str(env), "--file", str(FOLDER / "compose.yaml")]
    return [*answering[0], *files] if answering else None


def with_docker(command: Sequence[str], what: str, given: Settings) -> None:
    """Do one of the commands in containers."""
    words = {
        "up": ["up", "--detach", "--build", "--wait"],
        "run": ["up", "--detach", "--no-build", "--wait"],
        "build": ["build"],
        "stop": ["stop"],
        "down": ["down"],
        "logs": ["logs", "--follow", "--tail", "100"],
    }[what]
    ended = subprocess.run([*command, *words], cwd=ROOT, env=dict(given))
    if ended.returncode:
        sys.exit(ended.returncode)


# Without Docker


def roles(given: Settings) -> list[Role]:
    """Return what runs: always the API and the studio, the bot where its profile is chosen."""
    host, api = _listens(given), api_address(given)
    found = [
        Role("api", ["serve", "--host", host, "--port", given.get("MANERA_API_PORT", "8000")], f"{api}/readyz"),
        Role(
            "studio",
            ["web", "--api", api, "--host", host, "--port", given.get("MANERA_WEB_PORT", "7860")],
            f"{page_address(given)}/healthz",
        ),
    ]
    if "bot" in given.get("COMPOSE_PROFILES", "").split(","):
        found.append(Role("bot", ["bot", given.get("BOT_VOICE", "")], None))
    return found


def without_docker(what: str, given: Settings, run: Path, chosen: Sequence[Role]) -> None:
    """Do one of the commands with processes from .venv."""
    if what in ("up", "run"):
        given = {"MANERA_API_URL": api_address(given), "MANERA_LOG_CONSOLE": "off", **given}
        for role in chosen:
            start(role, given, run)
    if what in ("down", "stop"):
        for role in reversed(chosen):
            stop(role.name, run)
    if what == "logs":
        asked = [str(BIN / "python"), "-c", "from manera import logs; print(logs.folder())"]
        folder = subprocess.run(asked, env=dict(given), check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["tail", "-n", "100", "-F", *(f"{folder}/{role.name}.log" for role in chosen)])


def start(role: Role, given: Settings, run: Path) -> None:
    """Start a role that does not run yet, and return when it is ready; exit with what it said when it is not."""
    run.mkdir(mode=0o700, exist_ok=True)
    said = run / f"{role.name}.out"
    with (run / f"{role.name}.pid").open("a+") as lock, said.open("ab") as out:
        if not _locks(lock.fileno()):
            say(f"{role.name} runs already")
            return
        out.truncate(0)
        process = subprocess.Popen(
            [str(BIN / "manera"), *role.words],
            cwd=ROOT,
            env=dict(given),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            pass_fds=[lock.fileno()],  # which keeps the lock as long as it lives
        )
        lock.truncate(0)
        lock.write(str(process.pid))
    if not _waited(SECONDS_TO_START, lambda: process.poll() is not None or role.ready_at is None or _answers(role)):
        stop(role.name, run)
        fail(f"{role.name} was not ready after {SECONDS_TO_START} s; it said:\n{_last_lines(said)}")
    if process.poll() is not None:
        fail(f"{role.name} ended at once; it said:\n{_last_lines(said)}")
    process.returncode = 0  # it goes on without us
    say(f"{role.name} runs")


def stop(name: str, run: Path) -> None:
    """End a role and return when it has ended."""
    path = run / f"{name}.pid"
    if not path.exists():
        return
    with path.open("r+") as lock:
        if not _locks(lock.fileno()):
            process = int(lock.read())
            os.kill(process, signal.SIGTERM)
            if not _waited(SECONDS_TO_STOP, lambda: _locks(lock.fileno())):
                os.kill(process, signal.SIGKILL)
            say(f"{name} ended")
        path.unlink()


def _locks(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(role: Role) -> bool:
    try:
        urlopen(role.ready_at or "", timeout=5).close()
    except HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def _waited(seconds: float, is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < end:
        time.sleep(LOOK_AGAIN_SECONDS)
    return found


def _last_lines(path: Path) -> str:
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-LAST_LINES:])


# Words


def succeeds(command: Sequence[str]) -> bool:
    """Tell whether a command ends well, without a word of it."""
    return subprocess.run(command, capture_output=True).returncode == 0


def say(text: str) -> None:
    """Tell the person something that is not the result."""
    print(text, file=sys.stderr, flush=True)


def fail(message: str, hint: str | None = None) -> NoReturn:
    """End with an error, and what to do next."""
    sys.exit(f"error: {message}" + (f"\n\nhint: {hint}" if hint else ""))


def tell_addresses(given: Settings) -> None:
    """Print where what has been started is."""
    print(f"page:  {page_address(given)}     password: MANERA_WEB_PASSWORD in .env")
    print(f"API:   {api_address(given)}/v1  key: MANERA_API_KEY in .env")
    print(f"docs:  {api_address(given)}/docs")


def main(what: str, env: Path = ROOT / ".env") -> None:
    """Do one command, with Docker where it is."""
    given = settings(env)
    command = compose(env)
    if command:
        with_docker(command, what, given)
    else:
        say("no Docker is installed: the same processes run from .venv")
        if what in ("up", "build"):
            say("setting up .venv: the first time takes some minutes")
            subprocess.run(["make", ".venv/installed"], cwd=ROOT, check=True)
        without_docker(what, given, ROOT / ".run", roles(given))
    if what in ("up", "run"):
        tell_addresses(given)


if __name__ == "__main__":
    if sys.argv[1:] not in ([name] for name in ("up", "down", "build", "run", "stop", "logs")):
        sys.exit((__doc__ or "").strip())
    main(sys.argv[1])
