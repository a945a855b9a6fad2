"""What a model is told or shown, so that it makes a question or a plain draft of a text."""

from manera.text.languages import language_of
from manera.voice.instructions import Kind

MAX_CHARACTERS = 2_000
"""Of a text that a question is made of: its beginning tells."""

TOLD = {
    ("ru", "question"): "Прочитай текст и напиши один короткий вопрос, на который он отвечает. Только вопрос.",
    ("en", "question"): "Read the text and write one short question that it answers. Only the question.",
    ("ru", "draft"): "Перескажи текст простыми, нейтральными словами, без стиля и оценок. Сохрани все факты, имена и "
    "числа. Только пересказ.",
    ("en", "draft"): "Say the text again in plain, neutral words, without style or judgement. Keep all facts, names "
    "and numbers. Only the text.",
}
"""What a model that follows instructions is told."""

SHOWN = {
    ("ru", "question"): (
        ("Вчера наконец дошли руки до велосипеда: снял цепь, промыл в керосине, смазал. Едет как новый.",
         "Что делать, если велосипед плохо едет?"),
        ("Мне часто пишут, что читать бумажные книги старомодно. А я люблю запах старых страниц.",
         "Почему ты читаешь бумажные книги?"),
    ),
    ("en", "question"): (
        ("Finally got round to the bike: took the chain off, washed it in paraffin, oiled it. Rides like new.",
         "What can be done about a bike that rides badly?"),
        ("People tell me that paper books are old-fashioned. But I love the smell of old pages.",
         "Why do you read paper books?"),
    ),
    ("ru", "draft"): (
        ("Ну вот, дожили: трамвай №5 опять встал! Сорок минут топтались на морозе, злые как черти.",
         "Трамвай номер 5 снова остановился. Люди ждали на морозе 40 минут и сердились."),
        ("Ах, какая же Вера умница — испекла пирог, и все ахнули :)",
         "Вера испекла пирог, который всем понравился."),
    ),
    ("en", "draft"): (
        ("Well, here we go: tram No. 5 is stuck AGAIN! Forty minutes in the freezing cold, mad as hell.",
         "Tram number 5 stopped again. People waited in the cold for 40 minutes and were angry."),
        ("Oh Vera, you star! She baked a pie and everybody just gasped :)",
         "Vera baked a pie that everybody liked."),
    ),
}  # fmt: skip
"""What a model that only continues text is shown before its turn."""

HEADS = {
    ("ru", "question"): ("Текст", "Вопрос к тексту"),
    ("en", "question"): ("Text", "Question that it answers"),
    ("ru", "draft"): ("Текст", "То же простыми словами"),
    ("en", "draft"): ("Text", "The same in plain words"),
}


def told(kind: Kind, text: str) -> str:
    """Write a message to a model that follows instructions."""
    return f"{TOLD[language_of([text]), kind]}\n\n{_read(kind, text)}"


def shown(kind: Kind, text: str) -> str:
    """Write a prompt to be continued: two examples, and the text."""
    language = language_of([text])
    given, made = HEADS[language, kind]
    pairs = [f"{given}: {one}\n{made}: {other}\n\n" for one, other in SHOWN[language, kind]]
    return f"{''.join(pairs)}{given}: {' '.join(_read(kind, text).split())}\n{made}:"


def _read(kind: Kind, text: str) -> str:
    return text[:MAX_CHARACTERS] if kind == "question" else text
