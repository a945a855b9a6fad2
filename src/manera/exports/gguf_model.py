"""One GGUF file with the voice folded in and its chat template inside, for llama.cpp and what is built on it."""

from collections.abc import Sequence
from pathlib import Path

import gguf

from manera.bases import base_model, gguf_file, metadata
from manera.exports.chat import jinja_template
from manera.exports.parity import Check, Compared, same_choice, same_ids
from manera.exports.probes import Read
from manera.exports.read_gguf import Questions, ask
from manera.files import unfinished_beside
from manera.voice import adapter
from manera.voice.adapter import Matrices
from manera.voice.manifest import Voice

MIN_SAME = 0.85
"""Of the likeliest tokens: llama.cpp rounds weights and what flows through them, which turns over near ties.

Measured: 93 % and more of real voices; 75 % where the adapter has half its scale, 51 % without it.
"""

PLACES = 8
"""In each sequence, at which llama.cpp is asked."""

_END_OF_TURN = "tokenizer.ggml.eot_token_id"
_TEMPLATE = "tokenizer.chat_template"


def write_model(voice: Voice, base: Path, state: Matrices, path: Path) -> None:
    """Write the merged model under the voice's name."""
    with unfinished_beside(path) as folder:
        merged = folder / "merged.gguf"
        adapter.write_merged(base / base_model.GGUF, state, voice.recipe.scale, merged)
        reader = metadata.open_gguf(merged)
        writer = gguf.GGUFWriter(path=None, arch=metadata.architecture(reader))
        ends = base_model.load_tokenizer(base).token_to_id(voice.end_of_turn)
        added = {"general.name": voice.name, _TEMPLATE: jinja_template(voice), _END_OF_TURN: ends}
        gguf_file.copy_metadata(reader, writer, added)
        for key in added.keys() - reader.fields.keys():
            kind = gguf.GGUFValueType.UINT32 if key == _END_OF_TURN else gguf.GGUFValueType.STRING
            writer.add_key_value(key, added[key], kind)
        for tensor in reader.tensors:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        gguf_file.write_whole(writer, path)


def check(path: Path, expected: Compared) -> list[Check]:
    """Compare what llama.cpp makes of the file with the voice; raise ExportError when it cannot read it."""
    asked = [
        (read.ids[: place + 1], best[place])
        for read, best in zip(expected.reads, expected.likeliest, strict=True)
        for place in _places(read)
    ]
    found = ask(path, Questions([probe.messages for probe in expected.probes], [ids for ids, _ in asked]))
    answered = iter(found.ids)
    return [
        same_ids(lambda _: next(answered), expected),
        _same_choice(found.likeliest, [best for _, best in asked]),
    ]


def _same_choice(found: Sequence[int | None], expected: Sequence[int]) -> Check:
    told = [(one, other) for one, other in zip(found, expected, strict=True) if one is not None]
    return same_choice([[one for one, _ in told]], [[other for _, other in told]], MIN_SAME)


def _places(read: Read) -> list[int]:
    """Choose the end of the prompt, where a reply begins, and some more places."""
    last = len(read.ids) - 1
    return sorted({min(len(read.prompt) - 1, last), *(last * step // PLACES for step in range(1, PLACES + 1))})
