"""The files of deploy/, as their own tools read them."""

import os
import subprocess
import sys
from pathlib import Path

import services

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def tool(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_hadolint_has_nothing_to_say() -> None:
    read = tool("hadolint", "deploy/Dockerfile")
    assert (read.returncode, read.stdout) == (0, "")


def test_compose_takes_the_example_filled_in(tmp_path: Path) -> None:
    services.write_settings(tmp_path / ".env")
    words = ["--env-file", str(tmp_path / ".env"), "--file", "deploy/compose.yaml", "--profile", "*", "config"]
    read = tool("docker-compose", *words)
    assert read.returncode == 0, read.stderr
    assert "host_ip: 127.0.0.1" in read.stdout
    assert "host_ip: 0.0.0.0" not in read.stdout


def test_compose_refuses_to_start_without_a_key(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    read = tool("docker-compose", "--env-file", str(tmp_path / ".env"), "--file", "deploy/compose.yaml", "config")
    assert read.returncode != 0
    assert "make up" in read.stderr


def test_nothing_is_sent_to_the_builder_but_what_the_image_needs() -> None:
    allowed = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"]
    copied = (REPOSITORY / "deploy" / "Dockerfile").read_text("utf-8")
    assert allowed
    assert all(name in copied for name in allowed)
