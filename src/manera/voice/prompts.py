"""What a voice may be asked to see how it writes: prompts from its held-out text."""

from manera.files import read_records
from manera.records import Example
from manera.voice.dataset import dataset_file
from manera.voice.manifest import Voice, read_voice

SHOWN_PROMPTS = 3
OPENING_WORDS = 12


def held_out_prompts(voice: str) -> list[str]:
    """Take what was asked in held-out examples, spread over them; of prose, how paragraphs begin."""
    described = read_voice(voice)
    examples = read_records(dataset_file(voice, "test"), Example)
    prompts = [prompt for example in examples for prompt in _prompts(example, described)]
    step = max(1, len(prompts) // SHOWN_PROMPTS)
    return prompts[::step][:SHOWN_PROMPTS]


def _prompts(example: Example, voice: Voice) -> list[str]:
    first = example.messages[0]
    if voice.kind == "continuation":
        openings = (paragraph.split()[:OPENING_WORDS] for paragraph in first.content.split("\n"))
        return [" ".join(words) for words in openings if len(words) == OPENING_WORDS]
    if first.role != "user":
        return []
    before_topic = (voice.instruction or "").partition("{topic}")[0]
    return [first.content.removeprefix(before_topic)]
