"""Marks that people write in chats: quotations of others, and code."""

import re

_CODE = re.compile(r"```[\s\S]*?(?:```|\Z)")
_QUOTATION = re.compile(r"^[ \t]{0,3}>(?:>>)?[ \t][^\n]*(?:\n|\Z)|^[ \t]{0,3}>\n", re.MULTILINE)
QUOTATION, CODE = "quotation", "code"


def own_text(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a message without its quotations and blocks of code, and what was taken out, with the reason."""
    cut: list[tuple[str, str]] = []
    for pattern, reason in ((_CODE, CODE), (_QUOTATION, QUOTATION)):
        if found := pattern.findall(text):
            text = pattern.sub("", text)
            cut.append((reason, "".join(found)))
    return (text.strip("\n") if cut else text), cut
