"""A blog in Markdown: one file, one post."""

import re
from collections.abc import Iterator
from functools import cache

from markdown_it import MarkdownIt

from manera.records import Cut, Dropped, SourceRecord, Utterance, count_characters
from manera.sources.files import SourceFile
from manera.sources.front_matter import FrontMatter, read_front_matter, unix_seconds
from manera.sources.names import MARKDOWN
from manera.sources.source import text_source

_DRAFTS = "_drafts"
_HEADLINE = re.compile(r"\A#[ \t]+([^\n]*)(?:\n|\Z)")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_MAY_HOLD_CODE = re.compile(r"^[ \t>]*(?:[-*+][ \t]+|\d+[.)][ \t]+)*(?:```|~~~)|^(?: {4}|\t)", re.MULTILINE)
# Liquid (Jekyll), Nunjucks (Hexo) and Hugo's shortcodes.
_CODE_TAGS = [
    *(
        (
            re.compile(rf"^[ \t]*\{{%-?[ \t]*{tag}\b[^\n]*?%\}}", re.MULTILINE),
            re.compile(rf"\{{%-?[ \t]*end{tag}[ \t]*-?%\}}"),
        )
        for tag in ("highlight", "codeblock", "code", "comment")
    ),
    (
        re.compile(r"^[ \t]*\{\{<[ \t]*highlight\b[^\n]*?>\}\}", re.MULTILINE),
        re.compile(r"\{\{<[ \t]*/[ \t]*highlight[ \t]*>\}\}"),
    ),
]
# Two and more lines in a row that are nothing but links.
_LINK_LINE = r"^[ \t]*[-*+][ \t]+(?:\[[^\]\n]*\]\([^)\n]*\)|<?https?://\S+)[ \t.;]*(?:\n|\Z)"
_LINK_LIST = re.compile(rf"(?:{_LINK_LINE}){{2,}}", re.MULTILINE)
_COMMENT = (re.compile("<!--"), re.compile("-->"))
_TAG_LINE = re.compile(
    r"^[ \t]*(?:(?:\{%(?:(?!%\}).)*%\}|\{\{<(?:(?!>\}\}).)*>\}\}|\{\{%(?:(?!%\}\}).)*%\}\})[ \t]*)+$", re.MULTILINE
)
_IMPORT = re.compile(r"^import\s[^\n]*?['\"][^'\"\n]+['\"];?[ \t]*$", re.MULTILINE)


def is_post(file: SourceFile, text: str) -> bool:
    """Tell a post by its front matter, or by the name of its file."""
    return file.suffix in MARKDOWN or read_front_matter(text) is not None


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the post, by the blog: the folder that the person named.

    Code blocks, template tags, comments and imports are cut, for they are not prose; the title is taken
    from the front matter or the first headline, which then leaves the text. The rest of the Markdown
    is kept exactly. The date is the front matter's, else the file name's.
    """
    front = read_front_matter(text) or FrontMatter()
    place = file.path.relative_to(file.root).parts if file.root else ()
    if front.is_draft or _DRAFTS in place:
        yield Dropped("draft", file.source, count_characters(text))
        return
    body, cuts = prose_of(text[front.length :], file.settings.keep_code)
    headline = _HEADLINE.match(body)
    headed = headline[1].rstrip().rstrip("#").rstrip() if headline else None
    title = front.fields.get("title") or headed
    if headline and title == headed:
        cuts.append(("title", headline[0]))
        body = body[headline.end() :].strip("\n")
    if not body.strip():
        yield Dropped("post without text", file.source, count_characters(text))
        return
    for reason, removed in (("front matter", text[: front.length]), *cuts):
        if removed.strip():
            yield Cut(reason, file.source, count_characters(removed))
    author = file.collection
    sent_at = unix_seconds(front.fields.get("date", ""))
    yield Utterance(
        author,
        author,
        body,
        file.work,
        0,
        "post",
        file.source,
        sent_at=unix_seconds(file.source) if sent_at is None else sent_at,
        title=title,
    )


def prose_of(markdown: str, keep_code: bool = False) -> tuple[str, list[tuple[str, str]]]:
    """Return a post's text without what is not prose, and what was cut, by reason."""
    cuts: list[tuple[str, str]] = []

    def cut(pattern: re.Pattern[str], reason: str) -> None:
        nonlocal markdown
        cuts.extend((reason, found[0]) for found in pattern.finditer(markdown))
        markdown = pattern.sub("", markdown)

    def cut_between(opening: re.Pattern[str], closing: re.Pattern[str], reason: str) -> None:
        nonlocal markdown
        markdown, found = _without_between(markdown, opening, closing)
        cuts.extend((reason, part) for part in found)

    if not keep_code:
        for opening, closing in _CODE_TAGS:
            cut_between(opening, closing, "code")
        markdown, code = _without_code(markdown)
        cuts += [("code", block) for block in code]
        cut(_LINK_LIST, "list of links")
    cut(_TAG_LINE, "template tag")
    cut_between(*_COMMENT, "comment")
    cut(_IMPORT, "import line")
    return _BLANK_LINES.sub("\n\n", markdown).strip("\n"), cuts


def _without_between(markdown: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> tuple[str, list[str]]:
    """Take out what stands from an opening mark to its closing one; without the latter it is text."""
    kept, found = [], []
    at = 0
    while (start := opening.search(markdown, at)) and (end := closing.search(markdown, start.end())):
        kept.append(markdown[at : start.start()])
        at = end.end()
        found.append(markdown[start.start() : at])
    return "".join([*kept, markdown[at:]]), found


def _without_code(markdown: str) -> tuple[str, list[str]]:
    """Take out the lines of fenced and indented code, wherever in lists or quotations it stands."""
    if not _MAY_HOLD_CODE.search(markdown):
        return markdown, []
    lines = markdown.split("\n")
    kept, code = [], []
    end = 0
    for token in _parser().parse(markdown):
        if token.type in ("fence", "code_block") and token.map and token.content.strip():
            start = max(end, token.map[0])
            kept += lines[end:start]
            code.append("\n".join(lines[start : token.map[1]]))
            end = max(end, token.map[1])
    return "\n".join([*kept, *lines[end:]]), code


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").disable("inline")


SOURCE = text_source("post", is_post, read, "Markdown posts")
