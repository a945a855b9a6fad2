"""The README of an export: how it is loaded, what was checked, and whose terms it is under."""

from collections.abc import Mapping, Sequence

from manera.exports.parity import Check
from manera.exports.terms import notice_of
from manera.records import MethodName
from manera.voice.manifest import Voice
from manera.voice.recipe import Recipe

_GENERATE = """\
messages = [{{"role": "user", "content": "{example}"}}]
prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
written = model.generate(**prompt)
print(tokenizer.decode(written[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))
"""
_MERGED = (
    """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForCausalLM.from_pretrained(".")
"""
    + _GENERATE
)
_PEFT = (
    """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("base")
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("base"), "adapter")
"""
    + _GENERATE
)
_CODE = {
    "peft": ("python", _PEFT),
    "merged": ("python", _MERGED),
    "hub": ("python", _MERGED),
    "gguf": ("sh", "llama-server -m {name}.gguf --jinja\n"),
    "ollama": ("sh", 'ollama create {name} -f Modelfile\nollama run {name} "{example}"\n'),
    "vllm": ("sh", "./serve.sh --port 8001    # the model is {name}; any of vLLM's own options may follow\n"),
}
_WRITES = {
    "dialogue": "It answers a conversation. Messages of one side that follow each other are one turn, a line each.",
    "post": "It writes a post about the last message, which is its topic; the template adds the instruction.",
    "continuation": "It goes on from the text of the last message.",
}
_METHODS: Mapping[MethodName, str] = {"lora": "LoRA", "rslora": "rsLoRA", "dora": "DoRA", "qlora": "QLoRA"}
_EXAMPLE = {"dialogue": "Привет, как дела?", "post": "весна", "continuation": "Однажды вечером"}


def readme(voice: Voice, to: str, checks: Sequence[Check]) -> str:
    """Write the whole page."""
    return f"# {voice.name}\n\n" + "\n".join((_what(voice), _loading(voice, to), _checked(checks), _terms(voice)))


def _what(voice: Voice) -> str:
    told = (
        f"A voice made with manera {voice.manera_version}: {_learned(voice.recipe)} on {voice.base.id} with the "
        f"vocabulary of {', '.join(voice.base.languages)}. {_WRITES[voice.kind]}\n"
    )
    if voice.synthetic:
        told += f"\nIt has learned from synthetic text, written by {', '.join(voice.synthetic)}, not by a person.\n"
    if voice.kind == "dialogue":
        told += "\nIt writes `\\n` between messages and `\\r` for a line break inside one: show both as line breaks.\n"
    return told


def _learned(recipe: Recipe) -> str:
    if recipe.method == "full":
        return "all weights trained"
    return f"an adapter ({_METHODS[recipe.method]}, rank {recipe.rank})"


def _loading(voice: Voice, to: str) -> str:
    language, code = _CODE[to]
    example = _EXAMPLE[voice.kind]
    return f"In this folder:\n\n```{language}\n{code.format(name=voice.name, example=example)}```\n"


def _checked(checks: Sequence[Check]) -> str:
    rows = "".join(f"| {c.name} | {c.share:.1%} | {c.least:.1%} | {c.counted:,} |\n" for c in checks)
    return f"Compared with the voice itself:\n\n| | share | at least | of |\n|---|---|---|---|\n{rows}"


def _terms(voice: Voice) -> str:
    notice = notice_of(voice.base.id)
    return f"{notice}. See NOTICE.\n" if notice else ""
