"""The command that serves an exported voice with vLLM, as a script beside base and adapter.

https://docs.vllm.ai/en/latest/features/lora.html
"""

import json
import shlex
from pathlib import Path

from manera.errors import ExportError
from manera.exports.hugging_face import GENERATION_FILE, TEMPLATE_FILE
from manera.voice.manifest import Voice

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What ``--max-lora-rank`` may be (MaxLoRARanks in vllm/config/lora.py)."""

MAX_LENGTH = 4096
SCRIPT = "serve.sh"


def command(voice: Voice) -> list[str]:
    """Return vLLM's arguments, with paths relative to the exported folder."""
    rank = next((rank for rank in RANKS if rank >= voice.recipe.rank), None)
    if rank is None:
        raise ExportError(
            f"vLLM serves adapters up to rank {RANKS[-1]}, and this one has {voice.recipe.rank}", "--to merged"
        )
    return [
        *("vllm", "serve", "base", "--served-model-name", voice.base.id),
        *("--enable-lora", "--lora-modules", f"{voice.name}=adapter", "--max-lora-rank", str(rank)),
        *(
            "--chat-template",
            f"base/{TEMPLATE_FILE}",
            "--max-model-len",
            str(min(MAX_LENGTH, voice.base.context_length)),
        ),
        *("--dtype", "bfloat16"),
    ]


def write(voice: Voice, folder: Path) -> None:
    """Add the script to a folder with base and adapter."""
    path = folder / SCRIPT
    path.write_text(_script(voice), "utf-8")
    path.chmod(0o755)
    # vLLM would hold every request to this length
    settings = folder / "base" / GENERATION_FILE
    kept = {name: value for name, value in json.loads(settings.read_bytes()).items() if name != "max_new_tokens"}
    settings.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")


def _script(voice: Voice) -> str:
    """Write a shell script that can be called from anywhere and takes more of vLLM's options."""
    arguments = shlex.join(command(voice)).replace(" --", " \\\n    --")
    return f'#!/bin/sh\ncd "$(dirname "$0")" || exit 1\nexec {arguments} "$@"\n'
