"""Some lines that somebody wrote, to recognise them by."""

from collections import defaultdict
from collections.abc import Sequence

from manera.corpus.manifest import Speaker
from manera.corpus.storage import Corpus

SAMPLES = 3
SAMPLE_CHARACTERS = 200

# A terminal would obey them.
_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")


def samples(corpus: Corpus, speakers: Sequence[Speaker]) -> dict[str, list[str]]:
    """Return utterances spread over all that each of some speakers wrote, on one line each, by their ids."""
    steps = {speaker.speaker_id: max(1, speaker.utterances // SAMPLES) for speaker in speakers}
    seen = dict.fromkeys(steps, 0)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for said in corpus.utterances():
        step = steps.get(said.speaker_id)
        if step is None:
            continue
        lines = found[said.speaker_id]
        if len(lines) < SAMPLES and seen[said.speaker_id] % step == step // 2 and (line := _shortened(said.text)):
            lines.append(line)
        seen[said.speaker_id] += 1
    return dict(found)


def _shortened(text: str) -> str:
    line = " ".join(text.translate(_CONTROLS).split())
    return line if len(line) <= SAMPLE_CHARACTERS else line[:SAMPLE_CHARACTERS].rsplit(" ", 1)[0] + " …"
