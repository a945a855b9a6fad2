"""From a reply to messages that Telegram takes."""

MAX_UNITS = 4096
"""Of UTF-16, which is how Telegram counts: an emoji is two."""


def bubbles(reply: str, most: int) -> list[str]:
    """Return a reply's messages: one a line; what exceeds ``most`` stays together in the last."""
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    if len(lines) > most:
        lines[most - 1 :] = ["\n".join(lines[most - 1 :])]
    return [piece for line in lines for piece in pieces(line)]


def pieces(text: str, most: int = MAX_UNITS) -> list[str]:
    """Cut a text where it exceeds Telegram's limit: at the last line break or space before it, if there is one."""
    cut = []
    while (end := _fitting(text, most)) < len(text):
        space = max(text.rfind("\n", 0, end + 1), text.rfind(" ", 0, end + 1))
        end = space if space > 0 else end
        cut.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return [piece for piece in (*cut, text) if piece]


def _fitting(text: str, most: int) -> int:
    """Count the characters that fit into so many units."""
    units = 0
    for index, character in enumerate(text):
        units += 1 + (ord(character) > 0xFFFF)
        if units > most:
            return index
    return len(text)
