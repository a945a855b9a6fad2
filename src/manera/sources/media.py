"""What a message holds that has no text, told by the name of its file."""

import re

_KINDS = (
    (re.compile(r"\.(?:jpe?g|png|heic|bmp|tiff?)\b", re.IGNORECASE), "photo without text"),
    (re.compile(r"\.(?:gif)\b", re.IGNORECASE), "animation without text"),
    (re.compile(r"\.(?:webp)\b", re.IGNORECASE), "sticker"),
    (re.compile(r"\.(?:mp4|mov|3gp|webm|mkv|avi)\b", re.IGNORECASE), "video without text"),
    (re.compile(r"\.(?:opus|oga|ogg)\b", re.IGNORECASE), "voice message"),
    (re.compile(r"\.(?:mp3|m4a|aac|wav|flac)\b", re.IGNORECASE), "audio without text"),
    (re.compile(r"\.(?:vcf)\b", re.IGNORECASE), "contact"),
)


def media_without_text(name: str) -> str:
    """Say what was sent instead of words."""
    return next((reason for pattern, reason in _KINDS if pattern.search(name)), "file without text")
