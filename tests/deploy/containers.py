"""Containers without a Docker engine: podman and buildah with a storage of their own, for Docker's own Compose.

python containers.py FOLDER      builds the image there, to see how long it takes
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Thread
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]
IMAGE = "localhost/manera:test"
BASE_IMAGE = "localhost/python:3.11-slim"
DEBIAN = "bookworm"
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
TOOLS = ("podman", "buildah", "mmdebstrap", "runc")
MAX_PROCESSES = 32768
SECONDS_BETWEEN_CHECKS = 1

CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
STORAGE_CONF = """
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""


class Engine(NamedTuple):
    """podman, with everything it keeps in one folder."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str) -> str:
        """Run a command that finds this engine; return what it prints."""
        ended = subprocess.run(command, env=self.environment, cwd=REPOSITORY, capture_output=True, text=True)
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
        return ended.stdout

    def podman(self, *words: str) -> str:
        """Run podman; return what it prints."""
        return self.run("podman", *words)


def require_tools() -> None:
    """Skip where there is no podman, except in CI."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    why = f"no {', '.join(missing)}: bash deploy/ci/install.sh" if missing else "containers are tried by root only"
    if missing or os.getuid() != 0:
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


@contextmanager
def engine() -> Iterator[Engine]:
    """Lend an engine with nothing in it; what it kept is gone afterwards."""
    folder = Path(mkdtemp(prefix="manera-"))  # a short path: sockets lie in it
    limits = {name: resource.getrlimit(name)[1] for name in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)}
    processes = min(MAX_PROCESSES, limits[resource.RLIMIT_NPROC] % sys.maxsize)
    written = CONTAINERS_CONF.format(folder=folder, files=limits[resource.RLIMIT_NOFILE], processes=processes)
    (folder / "containers.conf").write_text(written)
    (folder / "storage.conf").write_text(STORAGE_CONF.format(folder=folder))
    (folder / "networks").mkdir()
    environment = os.environ | {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "DOCKER_HOST": f"unix://{folder}/podman.sock",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # there Docker's Compose lies
    }
    try:
        yield Engine(folder, environment)
    finally:
        subprocess.run(["podman", "rm", "--all", "--force", "--time", "2"], env=environment, capture_output=True)
        subprocess.run(["podman", "network", "prune", "--force"], env=environment, capture_output=True)
        subprocess.run(["umount", "--lazy", str(folder / "storage" / "overlay")], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def build(engine: Engine) -> None:
    """Build the image from the Dockerfile of this checkout."""
    engine.podman("import", str(_base()), BASE_IMAGE)
    mounts = [f"--volume={path}:{path}:ro" for path in _of_pip()]
    index = re.search(r"extra-index-url='(\S+?)[\s']", _pip_configuration())
    torch = [f"--build-arg=TORCH_INDEX={index[1]}"] if index else []
    options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--tag", IMAGE]
    engine.run("buildah", "bud", *options, *mounts, *torch, "--file", "deploy/Dockerfile", ".")


def _base() -> Path:
    """Return what stands in for Docker Hub's image of Python: Debian with its own, made once on a machine."""
    archive = Path.home() / ".cache" / "manera-tests" / f"{DEBIAN}-python.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        unfinished = archive.with_suffix(f".{os.getpid()}.tar")
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, str(unfinished)]
        subprocess.run(command, check=True, capture_output=True)
        unfinished.replace(archive)
    return archive


def _pip_configuration() -> str:
    return subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout


def _of_pip() -> list[Path]:
    """Return pip's own settings on this machine, and the files and folders that they name."""
    settings = [Path("/etc/pip.conf"), Path("/etc/xdg/pip"), Path.home() / ".config" / "pip"]
    named = [Path(path) for path in re.findall(r"['\s](?:file://)?(/[^\s']+)", _pip_configuration())]
    folders = [path.parent if path.name == "simple" else path for path in named]
    return sorted({path for path in (*settings, *folders) if path.exists()})


@contextmanager
def docker_api(engine: Engine) -> Iterator[None]:
    """Let podman answer as Docker for the length of the block, and do the health checks that systemd would do."""
    socket = engine.environment["DOCKER_HOST"]
    said = (engine.folder / "service.log").open("wb")
    service = subprocess.Popen(
        ["podman", "system", "service", "--time=0", socket], env=engine.environment, stdout=said, stderr=said
    )
    is_over = Event()
    checks = Thread(target=_check_health, args=(engine, is_over), name="health")
    checks.start()
    try:
        while not Path(socket.removeprefix("unix://")).exists():
            assert service.poll() is None, (engine.folder / "service.log").read_text()
            is_over.wait(0.1)
        yield
    finally:
        is_over.set()
        checks.join()
        service.terminate()
        service.wait()
        said.close()


def _check_health(engine: Engine, is_over: Event) -> None:
    while not is_over.wait(SECONDS_BETWEEN_CHECKS):
        listed = subprocess.run(["podman", "ps", "--quiet"], env=engine.environment, capture_output=True, text=True)
        for container in listed.stdout.split():
            checked = ["podman", "healthcheck", "run", container]
            subprocess.run(checked, env=engine.environment, capture_output=True)


if __name__ == "__main__":
    with engine() as made:
        began = time.monotonic()
        build(made)
        print(f"built in {time.monotonic() - began:.0f} s\n{made.podman('images')}")  # noqa: T201
