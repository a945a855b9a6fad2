"""What reports say in English, in Russian: units, directions, names of parts, and why something was not measured."""

import re
from functools import cache

_PHRASES = {
    # which way is better, and what n counts
    "higher": "больше",
    "lower": "меньше",
    "nearer 0.5": "ближе к 0,5",
    "neither": "—",
    "conversations": "бесед",
    "stretches": "отрывков",
    "texts": "текстов",
    "pieces": "кусков",
    "paragraphs": "абзацев",
    "messages": "сообщений",
    "secrets": "секретов",
    "replies": "ответов",
    "prompts": "вопросов",
    "pairs": "пар",
    "runs": "запуск",
    # units
    "bits per byte": "бит на байт",
    "bits per byte after {} of the training text, {} words": "бит на байт после {} обучающего текста, {} слов",
    "perplexity of a token": "перплексия токена",
    "voice_scale": "voice_scale",
    "probability of the author, less for exaggeration": "вероятность автора, меньше за преувеличение",
    "Burrows's Delta to the author": "дельта Бёрроуза до автора",
    "area under the curve": "площадь под кривой",
    "0 alike, 1 nothing shared": "0 — одинаковы, 1 — ничего общего",
    "cosine": "косинус",
    "found by pattern": "найдено по образцу",
    "share of texts": "доля текстов",
    "share of pairs of words": "доля пар слов",
    "share of words in verbatim runs of {}": "доля слов в дословных повторах по {}",
    "share of texts with {} words or more verbatim": "доля текстов, где {} слов и больше повторено дословно",
    "share of texts in which the guard stepped in": "доля текстов, где вмешалась защита",
    "share of texts with personal data of the training text": "доля текстов с личными данными из обучающего текста",
    "share of {} other replies ranked below the true one": "доля {} других ответов ниже настоящего",
    "share of texts whose prompt is found among {}": "доля текстов, чей вопрос найден среди {}",
    "share of canaries of more than {} bits": "доля секретов, выданных больше чем на {} бит",
    "bits more than chance gives a secret never seen": "бит сверх того, что случай даёт невиданному секрету",
    "bits, {} at most": "бит, не больше {}",
    "times each, in training": "раз каждый, за обучение",
    "minutes": "минут",
    "tokens": "токенов",
    "GB": "ГБ",
    "seconds a reply": "секунд на ответ",
    "tokens a reply": "токенов в ответе",
    "tokens learned from, each as often as it was seen": "токенов, на которых учился, с повторами",
    "tokens a second": "токенов в секунду",
    "joules of the processor, whatever else ran": "джоулей процессора вместе со всем, что шло рядом",
    "joules a reply, whatever else ran": "джоулей на ответ вместе со всем, что шло рядом",
    # parts
    "ladder": "лестница",
    "writing": "письмо",
    "likeness": "похожесть",
    "real or generated": "настоящее или нет",
    "distances": "расстояния",
    "copying": "повторы",
    "personal data": "личные данные",
    "canaries": "подсаженные секреты",
    "forgetting": "забытое",
    "topic": "тема",
    "dial": "громкость голоса",
    "cost of training": "цена обучения",
    "energy of training": "энергия обучения",
    "cost of a reply": "цена ответа",
    "energy of a reply": "энергия ответа",
    "learning curve": "сколько текста достаточно",
    "against {}": "рядом с {}",
    # whom the author was told from
    "the other side of the same conversations": "собеседников в тех же разговорах",
    "the untrained base, shown the author's examples": "модели без обучения, которой показали примеры автора",
    "the voice {}": "голоса {}",
    # why not
    "three trainings take their time: evaluate with --curve": "три обучения занимают время: добавьте --curve",
    "no canaries were planted in training": "при обучении не подсаживали секретов",
    "it takes more texts than --fast allows": "для этого нужно больше текстов, чем позволяет --fast",
    "the dial takes longer than --fast allows": "это дольше, чем позволяет --fast",
    "{} held-out turns can be answered, and {} are needed: {} more": (
        "отложено {} реплик, на которые можно ответить, а нужно {}: не хватает {}"
    ),
    "{} held-out prompts, and {} are needed": "отложено вопросов: {}, а нужно {}",
    "the server tells no log-probabilities of a text that it is given": "сервер не сообщает вероятностей текста",
    "a server writes, and what that costs is not seen from here": "пишет сервер, и цена этого отсюда не видна",
    "this voice was trained before peak memory was noted": "голос обучен до того, как стали записывать память",
    "this voice was trained before energy was noted": "голос обучен до того, как стали записывать энергию",
    "the dataset of {} was changed after training, so what was held out is not known": (
        "данные голоса {} изменены после обучения, поэтому неизвестно, что было отложено"
    ),
    "{} pieces of the author and {} of others: a verifier needs {} of each": (
        "{} кусков автора и {} других авторов: нужно не меньше {} тех и других"
    ),
    "{} learned {} of the {} longer texts that are held out here": (
        "{} учился на {} из {} длинных текстов, которые здесь отложены"
    ),
    "no energy meter of the processor can be read here (Linux: /sys/class/powercap)": (
        "счётчик энергии процессора здесь не прочесть (Linux: /sys/class/powercap)"
    ),
    "no energy meter of the processor can be read here (Linux: /sys/class/powercap) when it was trained": (
        "счётчик энергии процессора при обучении было не прочесть (Linux: /sys/class/powercap)"
    ),
}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile("(.+?)".join(map(re.escape, english.split("{}")))), told) for english, told in _PHRASES.items()]


def in_russian(text: str) -> str:
    """Translate a phrase of a report; what is not known stays as it is, such as an error of the system."""
    for pattern, told in _patterns():
        if found := pattern.fullmatch(text):
            return told.format(*found.groups())
    return text
