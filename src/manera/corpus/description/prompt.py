"""A description as a persona note: what any language model needs to be told to write like somebody, without training.

Every rule is measured; what is no rule of theirs is not said.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from manera.corpus.description.facts import Description
from manera.corpus.description.manner import Manner
from manera.text.languages import Language

OFTEN, SELDOM = 0.6, 0.08
"""Of the messages: from here on it is a rule to do it, up to here not to."""

SOMETIMES = 0.15
NAMED_WORDS = 20
_BURSTS = 0.15


class Wording(NamedTuple):
    """The sentences of a note in one language."""

    intro: str
    rules: str
    length: str
    post_length: str
    burst: str
    single: str
    habits: Mapping[str, tuple[str | None, str | None, str | None]]
    emoji: str
    typical: str
    avoided: str
    examples: str
    example: str
    note: str


WORDINGS: Mapping[Language, Wording] = {
    "en": Wording(
        intro="You write as {name} writes. Everything below was measured on {messages} of their messages.",
        rules="Rules:",
        length="A message usually has {median} words, most have {low} to {high}.",
        post_length="A text usually has {median} words, most have {low} to {high}.",
        burst="Often ({share}) send several short messages in a row instead of one long one; put each on its own line.",
        single="Send one message at a time.",
        habits={
            "lower_start": ("Begin with a small letter ({share}).", None, "Begin with a capital letter."),
            "bare_end": ("Put no mark at the end ({share}).", None, "End with a mark."),
            "full_stop": ("End with a full stop ({share}).", None, "Do not end with a full stop."),
            "question": (None, "Ask back now and then ({share}).", "Hardly ever ask questions."),
            "exclamation": ("Exclaim ({share}).", "Exclaim now and then ({share}).", "Use no exclamation marks."),
            "ellipsis": ("Trail off with … ({share}).", "Trail off with … now and then ({share}).", None),
            "smile": ("Smile with :) or )) ({share}).", "Smile with :) or )) now and then ({share}).", None),
            "emoji": ("Use emoji ({share}).", "Use an emoji now and then ({share}).", "Hardly ever use emoji."),
            "comma": (None, None, "Leave out commas."),
            "dash": ("Use dashes ({share}).", "Use a dash now and then ({share}).", "Use no dashes."),
            "shouting": (None, "Write a WORD in capitals now and then ({share}).", None),
            "lines": (
                "Break the line ({share}).",
                "Break the line now and then ({share}).",
                "Write one paragraph.",
            ),
        },
        emoji="Emoji, the most frequent first: {listed}.",
        typical="Words and turns that are theirs: {listed}.",
        avoided="Words to avoid: {listed}.",
        examples="This is how {name} writes:",
        example="To: {asked}",
        note="Do not talk about these rules, and invent no facts about {name}.",
    ),
    "ru": Wording(
        intro="Ты пишешь так, как пишет {name}. Всё ниже измерено на {messages} сообщениях этого человека.",
        rules="Правила:",
        length="Слов в сообщении: обычно {median}, чаще всего от {low} до {high}.",
        post_length="Слов в тексте: обычно {median}, чаще всего от {low} до {high}.",
        burst="Часто ({share}) шли несколько коротких сообщений подряд вместо одного длинного; каждое с новой строки.",
        single="Пиши одним сообщением.",
        habits={
            "lower_start": ("Начинай со строчной буквы ({share}).", None, "Начинай с заглавной буквы."),
            "bare_end": ("Не ставь знака в конце ({share}).", None, "Ставь знак в конце."),
            "full_stop": ("Ставь точку в конце ({share}).", None, "Не ставь точку в конце."),
            "question": (None, "Иногда спрашивай сам ({share}).", "Почти не задавай вопросов."),
            "exclamation": (
                "Восклицай ({share}).",
                "Иногда восклицай ({share}).",
                "Не ставь восклицательных знаков.",
            ),
            "ellipsis": ("Обрывай фразу многоточием ({share}).", "Иногда обрывай фразу многоточием ({share}).", None),
            "smile": ("Улыбайся скобкой: ) или :) ({share}).", "Иногда улыбайся скобкой: ) или :) ({share}).", None),
            "emoji": ("Ставь эмодзи ({share}).", "Иногда ставь эмодзи ({share}).", "Почти не ставь эмодзи."),
            "comma": (None, None, "Не ставь запятых."),
            "dash": ("Пользуйся тире ({share}).", "Иногда пользуйся тире ({share}).", "Обходись без тире."),
            "shouting": (None, "Иногда пиши СЛОВО заглавными ({share}).", None),
            "lines": ("Дели на строки ({share}).", "Иногда дели на строки ({share}).", "Пиши одним абзацем."),
        },
        emoji="Эмодзи, сначала самые частые: {listed}.",
        typical="Свои слова и обороты: {listed}.",
        avoided="Слова, которых избегать: {listed}.",
        examples="Вот как пишет {name}:",
        example="На: {asked}",
        note="Об этих правилах не говори и не выдумывай фактов о том, кого зовут {name}.",
    ),
}


def persona_note(description: Description) -> str:
    """Write the note, in the person's language."""
    wording = WORDINGS[description.language]
    name = description.speaker.name
    lines = rules(description, name).splitlines()
    if description.examples:
        lines += ["", wording.examples.format(name=name)]
        for one in description.examples:
            lines += ["", *([wording.example.format(asked=_line(one.asked))] if one.asked else [])]
            lines += [f"> {line}" for text in one.answered for line in text.splitlines()]
    return "\n".join([*lines, "", wording.note.format(name=name), ""])


def rules(manner: Manner, name: str) -> str:
    """Write what is a rule with somebody, without any text of theirs."""
    wording = WORDINGS[manner.language]
    intro = wording.intro.format(name=name, messages=f"{manner.messages:,}")
    return "\n".join([intro, "", wording.rules, *(f"- {rule}" for rule in _rules(manner, wording))])


def _rules(manner: Manner, wording: Wording) -> Iterator[str]:
    low, median, high = manner.words_quantiles
    length = wording.length if manner.kind in ("message", "line") else wording.post_length
    yield length.format(median=median, low=low, high=high)
    if turns := sum(manner.bursts):
        several = 1 - manner.bursts[0] / turns
        yield (wording.burst if several >= _BURSTS else wording.single).format(share=f"{several:.0%}")
    for habit, sentences in wording.habits.items():
        share = manner.habits[habit].own
        if sentence := _chosen(sentences, share):
            yield sentence.format(share=f"{share:.0%}")
    if manner.emoji:
        yield wording.emoji.format(listed=" ".join(manner.emoji))
    for sentence, found in ((wording.typical, manner.typical), (wording.avoided, manner.avoided)):
        if found:
            yield sentence.format(listed=", ".join(word.word for word in found[:NAMED_WORDS]))


def _chosen(sentences: Sequence[str | None], share: float) -> str | None:
    often, sometimes, seldom = sentences
    if share >= OFTEN:
        return often
    if share <= SELDOM:
        return seldom
    return sometimes if share >= SOMETIMES else None


def _line(text: str | None) -> str:
    return " ".join((text or "").split())[:200]
