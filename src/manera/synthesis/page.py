"""Diversity as one page: no script, no network, light and dark, and on paper; in Russian or English."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from markupsafe import Markup

from manera import pages
from manera.drawing import svg
from manera.synthesis.diversity import Diversity, Floats, Placed, flattened
from manera.text.languages import Language

HEIGHT, WIDE, MARGIN = 480, 960, 14
MAX_DOTS = 3_000

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "how diverse what this model wrote is",
        "texts": "texts", "topics": "topics", "distinct": "of word pairs are different",
        "map": "Map of the texts",
        "map_note": "Each dot is a text; near dots mean alike. The axes are the directions in which the texts differ "
        "most (principal components). Point at a dot to read its topic.",
        "grams": "Different words and runs of words",
        "grams_note": "Of the words, pairs and triples in {words} words, the share that occurs for the first time. "
        "More is more diverse.",
        "near": "How near the most similar text is",
        "near_note": "Cosine of meaning between each text and the one most like it: a quarter of the texts lies below "
        "the first figure, half below the second, three quarters below the third. Less is more diverse.",
        "written": "written", "real": "real", "to_real": "written, to the real text most like it",
        "closest": "The pairs that are most alike",
        "closest_note": "Read them: where they say the same twice, more topics or another style will help.",
        "words_1": "words", "words_2": "pairs", "words_3": "triples", "share": "n-grams", "cosine": "cosine",
        "private": "This page quotes the texts. It stands alone: nothing is loaded from anywhere.",
    },
    "ru": {
        "title": "насколько разнообразно то, что написала эта модель",
        "texts": "текстов", "topics": "тем", "distinct": "пар слов — разные",
        "map": "Карта текстов",
        "map_note": "Точка — один текст; близкие точки близки по смыслу. Оси — направления, в которых тексты "
        "различаются сильнее всего (главные компоненты). Наведите на точку, чтобы прочесть тему.",
        "grams": "Разные слова и цепочки слов",
        "grams_note": "Какая доля слов, пар и троек на {words} слов встречается впервые. Больше — разнообразнее.",
        "near": "Насколько близок самый похожий текст",
        "near_note": "Косинус между смыслом текста и самого похожего на него: у четверти текстов он ниже первого "
        "числа, у половины — ниже второго, у трёх четвертей — ниже третьего. Меньше — разнообразнее.",
        "written": "написанные", "real": "настоящие", "to_real": "написанные, до самого похожего настоящего",
        "closest": "Самые похожие пары",
        "closest_note": "Прочитайте их: если говорится одно и то же, помогут новые темы или другой стиль.",
        "words_1": "слова", "words_2": "пары", "words_3": "тройки", "share": "цепочки", "cosine": "косинус",
        "private": "Страница цитирует тексты. Она самостоятельна: ниоткуда ничего не загружает.",
    },
}  # fmt: skip


def write_page(
    found: Diversity, texts: Sequence[Placed], real: Sequence[str], model: str, language: Language, path: Path
) -> None:
    """Write the page; only its owner can read it."""
    separator = "\N{NARROW NO-BREAK SPACE}" if language == "ru" else ","
    counted = f"{found.words:,}".replace(",", separator)
    words = {name: text.format(words=counted) for name, text in WORDS[language].items()}
    pages.write_page(
        path,
        Path(__file__).with_name("diversity.html"),
        language=language,
        model=model,
        t=words,
        found=found,
        texts=texts,
        topics=len({one.topic for one in texts}),
        map=Markup(_map(texts, real, words["map"])),
        has_real=bool(real),
    )


def _map(texts: Sequence[Placed], real: Sequence[str], title: str) -> str:
    """Draw every text as a dot, the real ones below."""
    own, others = flattened([one.text for one in texts], real)
    both = np.concatenate([own, others])
    low, high = both.min(axis=0), both.max(axis=0)
    room = np.where(high > low, high - low, 1.0)

    def dots(points: Floats, names: Sequence[str], kind: str) -> list[str]:
        placed = (points - low) / room * (WIDE - 2 * MARGIN, HEIGHT - 2 * MARGIN) + MARGIN
        return [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot {kind}"><title>{escape(name)}</title></circle>'
            for (x, y), name in zip(placed[:MAX_DOTS].tolist(), names[:MAX_DOTS], strict=True)
        ]

    drawn = dots(others, [""] * len(others), "others") + dots(own, [one.topic for one in texts], "own")
    return svg(HEIGHT, title, drawn).replace('viewBox="0 0 460 ', f'viewBox="0 0 {WIDE} ', 1)
