"""A voice of every method goes to every format, or the format says why it cannot."""

from pathlib import Path
from typing import get_args

import pytest

from adapted import write_voice_by
from manera.errors import ExportError
from manera.exports.folder import Format, export
from manera.records import MethodName
from manera.voice.folder import is_there
from manera.voice.manifest import read_voice

IMPOSSIBLE = {
    ("full", "peft"): "has no adapter",
    ("full", "vllm"): "has no adapter",
    ("dora", "vllm"): "vLLM applies no DoRA",
}


@pytest.mark.parametrize("to", ["peft", "merged", "gguf", "vllm"])
@pytest.mark.parametrize("method", get_args(MethodName))
def test_a_voice_of_every_method_goes_to_every_format_that_holds_it(
    method: MethodName, to: Format, tiny_base: Path, tmp_path: Path
) -> None:
    if method == "qlora":
        pytest.importorskip("bitsandbytes")
    voice = read_voice(method) if is_there(method) else write_voice_by(method, tiny_base, method, "post")
    if (method, to) in IMPOSSIBLE:
        with pytest.raises(ExportError, match=IMPOSSIBLE[method, to]) as refused:
            export(voice, tiny_base, to, tmp_path / "out", "float32", replace=False)
        assert refused.value.hint == "--to merged"
        assert not list(tmp_path.iterdir())
    else:
        exported = export(voice, tiny_base, to, tmp_path / "out", "float32", replace=False)
        assert all(check.share >= check.least for check in exported.checks)
