"""What WhatsApp writes in place of words, in the language of the phone."""

import re

from manera.sources.media import media_without_text

_I = re.IGNORECASE
# Android names what was sent by the first letters of its file, iOS by a word in capitals.
_KINDS = (
    (re.compile(r"\bIMG-|PHOTO"), "photo without text"),
    (re.compile(r"GIF"), "animation without text"),
    (re.compile(r"\bVID-|VIDEO"), "video without text"),
    (re.compile(r"\bPTT-|AUDIO"), "voice message"),
    (re.compile(r"\bSTK-|STICKER"), "sticker"),
)
_ATTACHED = re.compile(
    r"\u200e?<(?:attached|прикреплено|Anhang|adjunto|pièce jointe|allegato|anexado): [^<>\n]+>"
    r"|\u200e?[^\n/]{1,200}\.\w{2,5} \((?:file attached|файл добавлен|Datei angehängt|archivo adjunto|fichier joint"
    r"|file allegato|arquivo anexado)\)",
    _I,
)
_EDITED = re.compile(
    r"[ \n]?\u200e?<(?:This message was edited|(?:Это |Данное )?[Сс]ообщение (?:было )?(?:изменено|отредактировано)"
    r"|Diese Nachricht wurde bearbeitet|Se editó este mensaje)\.?>$"
)
_NOTES = (
    (
        re.compile(r"<[^<>\n]*(?:medi[aen]|медиафайл|mídia|média)[^<>\n]*>|<(?:Медиа|Media)[^<>\n]{0,30}>", _I),
        "media without text",
    ),
    (
        re.compile(
            r"(?:This message was deleted|You deleted this message|(?:Это|Данное) сообщение (?:было )?удалено"
            r"|Сообщение удалено|Вы удалили (?:это|данное) сообщение|Diese Nachricht wurde gelöscht"
            r"|Du hast diese Nachricht gelöscht|Se eliminó este mensaje|Eliminaste este mensaje)"
            r"(?: by admin .+| администратором .+)?\.?",
            _I,
        ),
        "deleted message",
    ),
    (
        re.compile(
            r"(?:(?:Missed|Silenced) (?:group )?(?:voice|video) call|(?:Voice|Video) call"
            r"|Пропущенный (?:групповой )?(?:аудио|видео)?(?:звонок|голосовой вызов|вызов)|(?:Аудио|Видео)звонок"
            r"|Verpasster (?:Gruppen)?(?:Sprach|Video)?anruf|(?:Sprach|Video)anruf)"
            r"(?:[.,] [^\n]{1,60})?\.?",
            _I,
        ),
        "call",
    ),
    (
        re.compile(
            r"Waiting for this message\.?(?: This may take a while\.?)?|null"
            r"|Ожидание (?:этого )?сообщения\.?(?: Это может занять некоторое время\.?)?"
            r"|(?:Warte|Warten) auf diese Nachricht\.?(?: [^\n]{1,80})?",
            _I,
        ),
        "unsupported message",
    ),
    (
        re.compile(
            r"[^\n:]{1,40}: https?://(?:maps\.google\.com|(?:www\.)?google\.com/maps|foursquare\.com)/\S+"
            r"|Live location shared|Трансляция геоданных|Live-Standort wird geteilt",
            _I,
        ),
        "location",
    ),
    (re.compile(r"(?:POLL|ОПРОС|UMFRAGE|ENCUESTA):\n[\s\S]+"), "poll"),
)
# iOS puts a mark before all that it wrote itself: "image omitted" in any language.
_MARKED = (
    (re.compile(r"image|photo|изображени|фото|bild|imagen", _I), "photo without text"),
    (re.compile(r"video note|видеосообщени|videonachricht", _I), "video message"),
    (re.compile(r"video|видео", _I), "video without text"),
    (re.compile(r"audio|аудио|голосов", _I), "voice message"),
    (re.compile(r"sticker|стикер", _I), "sticker"),
    (re.compile(r"gif", _I), "animation without text"),
    (re.compile(r"document|документ|dokument", _I), "file without text"),
    (re.compile(r"contact|контакт|kontakt", _I), "contact"),
)
_OMITTED = re.compile(
    r"\u200e[^\n\u200e]{0,100}\b"
    r"(?:omitted|отсутству\w+|пропущен\w*|опущен\w*|не включ\w+|weggelassen|ausgeschlossen|omitid\w)$",
    _I,
)
_YOURS = re.compile(r"You deleted|Вы удалили|Du hast diese Nachricht gelöscht|Eliminaste", _I)
# «Ася changed the subject to "Двор: весна"» is no one of such a name.
_OPEN_QUOTE = re.compile(r'^[^"]*"(?:[^"]*"[^"]*")*[^"]*$|«[^»]*$|[„“][^“”]*$')
MARK = "\u200e"


def own_words(text: str) -> tuple[str, str | None, list[tuple[str, str]]]:
    """Return the words of a message, why it has none, and what WhatsApp added to them, by reason."""
    if reason := _note(text):
        return text, reason, []
    words, cut, sent = text, [], None
    if edited := _EDITED.search(words):
        words = words[: edited.start()]
        cut.append(("mark of editing", edited[0]))
    if attached := _ATTACHED.search(words) or _OMITTED.search(words):
        words = words[: attached.start()] + words[attached.end() :]
        cut.append(("attachment", attached[0]))
        sent = _marked(attached[0]) if attached.re is _OMITTED else _kind(attached[0])
    words = words.strip(f"\n {MARK}") if cut else words.removeprefix(MARK)
    return (words, None, cut) if words or sent is None else (text, sent, [])


def is_notice(sender: str) -> bool:
    """Tell a notice of a group which has a colon inside a quotation from a sender's name."""
    return _OPEN_QUOTE.search(sender) is not None


def is_of_the_owner(text: str) -> bool:
    """Tell a note that WhatsApp writes only to the one whose phone it is."""
    return _YOURS.match(text.lstrip(MARK)) is not None


def _note(text: str) -> str | None:
    plain = text.strip(f"{MARK} \n")
    for pattern, reason in _NOTES:
        if pattern.fullmatch(plain):
            return reason
    is_marked = text.startswith(MARK) and not _ATTACHED.search(text) and not _EDITED.search(text)
    return _marked(text) if is_marked else None


def _kind(attachment: str) -> str:
    return next((reason for pattern, reason in _KINDS if pattern.search(attachment)), media_without_text(attachment))


def _marked(note: str) -> str:
    return next((reason for pattern, reason in _MARKED if pattern.search(note)), "service message")
