"""Books, documents, pages and feeds: the author's paragraphs are kept, the rest is named, every character counted."""

import io
import textwrap
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from manera.corpus.storage import open_corpus, write
from manera.errors import SourceError
from manera.records import Cut, Dropped, Mended, Utterance
from manera.sources.decoding import CUT_SHORT
from manera.sources.reading import read
from manera.sources.settings import SourcesConfig

FB2 = """<?xml version="1.0" encoding="{encoding}"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink">
<description><title-info><author><first-name>Лидия</first-name><last-name>Грушина</last-name></author>
<book-title>Снег</book-title><annotation><p>О снеге.</p></annotation></title-info></description>
<body><title><p>Снег</p></title><epigraph><p>Белым-бело.</p><text-author>Народ</text-author></epigraph>
<section><title><p>Глава первая</p></title>
<p>Утром пошёл <emphasis>снег</emphasis>, и все<a l:href="#n1" type="note">[1]</a> вышли на крыльцо.</p>
<empty-line/><subtitle>* * *</subtitle>
<p>Никто ничего&nbsp;не говорил.</p>
<poem><stanza><v>Снег идёт,</v><v>дым плывёт.</v></stanza></poem>
<p><code>print(1)</code></p><table><tr><td>12</td></tr></table></section></body>
<body name="notes"><section id="n1"><title><p>1</p></title><p>Все, кто был дома.</p></section></body>
<binary id="cover.jpg" content-type="image/jpeg">/9j/4AAQSkZJRgABAQ==</binary></FictionBook>"""
SNOW = ["Утром пошёл снег, и все вышли на крыльцо.", "Никто ничего не говорил.", "Снег идёт,\nдым плывёт."]


def said(path: Path, settings: SourcesConfig = SourcesConfig()) -> list[str]:
    return [one.text for one in read([path], settings=settings) if isinstance(one, Utterance)]


def dropped(path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in read([path]):
        if isinstance(one, Dropped | Cut):
            counts[one.reason] = counts.get(one.reason, 0) + 1
    return counts


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r", "utf-16"])
def test_fb2_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "kniga.fb2").write_bytes(FB2.format(encoding=encoding).replace("ё", "е").encode(encoding))
    records = [one for one in read([tmp_path / "kniga.fb2"]) if isinstance(one, Utterance)]
    assert [one.text for one in records] == [text.replace("ё", "е") for text in SNOW]
    assert {(one.speaker, one.thread, one.kind) for one in records} == {("Лидия Грушина", "Снег", "prose")}


def test_what_fb2_says_is_not_prose_is_named(tmp_path: Path) -> None:
    (tmp_path / "kniga.fb2").write_text(FB2.format(encoding="utf-8"), "utf-8")
    assert dropped(tmp_path / "kniga.fb2") == {
        "description of the book": 1,
        "heading": 3,
        "epigraph": 2,
        "footnote mark": 1,
        "code": 1,
        "table": 1,
        "editor's note": 2,
    }


def test_fb2_cut_short_is_an_error_and_saved_when_asked_for(tmp_path: Path) -> None:
    book = FB2.format(encoding="utf-8")
    (tmp_path / "kniga.fb2").write_text(book[: book.index("Снег идёт")], "utf-8")
    with pytest.raises(SourceError, match=r"not valid XML at line \d+"):
        said(tmp_path / "kniga.fb2")
    assert said(tmp_path / "kniga.fb2", SourcesConfig(salvage=True)) == SNOW[:2]
    salvaged = read([tmp_path / "kniga.fb2"], settings=SourcesConfig(salvage=True))
    assert [one.what for one in salvaged if isinstance(one, Mended)] == [CUT_SHORT]


def zipped(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/c.opf"/>'
    "</rootfiles></container>"
)
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>Снег</dc:title><dc:creator>Лидия Грушина</dc:creator></metadata><manifest>
<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="text/%D0%B2%D1%82%D0%BE%D1%80%D0%B0%D1%8F.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/>
<item id="i" href="i.jpg" media-type="image/jpeg"/>
</manifest><spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/>
<itemref idref="lost"/></spine></package>"""
FIRST_PAGE = """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">
<head><title>Снег</title></head><body><section epub:type="titlepage"><p>Издательство «Сугроб»</p></section>
<h1>Глава первая</h1><p>Утром пошёл <i>снег</i>,
 и все<a epub:type="noteref" href="#n1">1</a> вышли на&nbsp;крыльцо<sup>2</sup>.</p>
<aside epub:type="footnote" id="n1"><p>Все, кто был дома.</p></aside></body></html>"""
EPUB = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/c.opf": PACKAGE,
    "OEBPS/nav.xhtml": "<html><body><nav><ol><li>Глава первая</li></ol></nav></body></html>",
    "OEBPS/text/a.xhtml": FIRST_PAGE,
    "OEBPS/text/вторая.xhtml": "<html><body><p>Никто ничего не говорил.</p><p>* * *</p></body></html>",
}


def test_epub_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    (tmp_path / "book.epub").write_bytes(zipped(EPUB))
    records = [one for one in read([tmp_path / "book.epub"]) if isinstance(one, Utterance)]
    assert [one.text for one in records] == [
        "Утром пошёл снег, и все вышли на\u00a0крыльцо.",
        "Никто ничего не говорил.",
    ]
    assert {(one.speaker, one.thread) for one in records} == {("Лидия Грушина", "Снег")}
    assert dropped(tmp_path / "book.epub") == {
        "title page": 1,
        "heading": 1,
        "footnote mark": 1,
        "editor's note": 1,
        "divider": 1,
    }


def test_books_in_an_archive_are_read_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "library.zip", "w") as archive:
        archive.writestr("book.epub", zipped(EPUB))
        archive.writestr("kniga.fb2", FB2.format(encoding="utf-8"))
    assert len(said(tmp_path / "library.zip")) == 5


def test_a_locked_epub_is_refused(tmp_path: Path) -> None:
    locked = '<encryption><EncryptedData><CipherReference URI="OEBPS/text/a.xhtml"/></EncryptedData></encryption>'
    (tmp_path / "book.epub").write_bytes(zipped({**EPUB, "META-INF/encryption.xml": locked}))
    with pytest.raises(SourceError, match="locked by its shop"):
        said(tmp_path / "book.epub")


@pytest.mark.parametrize("part", ["OEBPS/c.opf", "META-INF/container.xml", "OEBPS/text/a.xhtml"])
def test_an_epub_without_one_of_its_parts_is_an_error_in_words(part: str, tmp_path: Path) -> None:
    (tmp_path / "book.epub").write_bytes(zipped({name: text for name, text in EPUB.items() if name != part}))
    with pytest.raises(SourceError) as caught:
        said(tmp_path / "book.epub")
    assert caught.value.hint


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
DOCX = {
    "[Content_Types].xml": "<Types/>",
    "word/styles.xml": f'<w:styles {W}><w:style w:styleId="1"><w:name w:val="heading 1"/></w:style></w:styles>',
    "word/document.xml": f"""<w:document {W}><w:body>
<w:p><w:pPr><w:pStyle w:val="1"/></w:pPr><w:r><w:t>Глава</w:t></w:r></w:p>
<w:p><w:r><w:t xml:space="preserve">Утром пошёл </w:t></w:r><w:del><w:r><w:delText>дождь</w:delText></w:r></w:del>
<w:ins><w:r><w:t>снег</w:t></w:r></w:ins><w:r>
<w:footnoteReference w:id="2"/></w:r><w:r><w:t>.</w:t><w:br/><w:t>Да.</w:t></w:r></w:p>
<w:p/><w:tbl><w:tr><w:tc><w:p><w:r><w:t>12</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>""",
    "word/footnotes.xml": f"<w:footnotes {W}><w:footnote><w:p>"
    "<w:r><w:t>Мокрый.</w:t></w:r></w:p></w:footnote></w:footnotes>",
}


def test_docx_is_read_as_it_stands_with_its_changes_taken(tmp_path: Path) -> None:
    (tmp_path / "Снег.docx").write_bytes(zipped(DOCX))
    assert said(tmp_path / "Снег.docx") == ["Утром пошёл снег.\nДа."]
    assert dropped(tmp_path / "Снег.docx") == {"heading": 1, "table": 1, "note": 1}


PAGE = """<!DOCTYPE html><html><head><title>О снеге — Блог</title><style>p {{ color: red }}</style>
<meta property="article:published_time" content="2024-02-01T10:00:00Z"></head><body>
<nav><a href="/">Главная</a></nav>{opening}<h1>О снеге</h1><p>Утром пошёл <code>снег</code>.<br>И пошёл.</p>
<pre><code>while True:
    snow()</code></pre><ul><li><a href="a">Раз</a></li><li><a href="b">Два</a></li></ul>
<ul><li>Снег белый.</li><li>Он холодный.</li></ul>{closing}
<footer>© Лидия</footer><script>alert("p")</script></body></html>"""


@pytest.mark.parametrize("tag", ["article", "main", "div"])
def test_a_page_of_a_blog_is_a_post(tag: str, tmp_path: Path) -> None:
    folder = tmp_path / "blog"
    folder.mkdir()
    (folder / "sneg.html").write_text(PAGE.format(opening=f"<{tag}>", closing=f"</{tag}>"), "utf-8")
    (post,) = [one for one in read([folder]) if isinstance(one, Utterance)]
    assert post.text == "Утром пошёл снег.\nИ пошёл.\n\nСнег белый.\n\nОн холодный."
    assert (post.kind, post.speaker, post.title, post.sent_at) == ("post", "blog", "О снеге", 1706781600)
    assert set(dropped(folder)) == {"page frame", "heading", "code", "list of links"}


def test_code_and_lists_of_links_are_kept_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(PAGE.format(opening="<main>", closing="</main>"), "utf-8")
    (text,) = said(tmp_path / "a.html", SourcesConfig(keep_code=True))
    assert "while True:\n    snow()" in text
    assert "Раз\n\nДва" in text


def test_a_page_that_is_no_article_is_prose(tmp_path: Path) -> None:
    (tmp_path / "Снег.html").write_text("<html><body><p>Утром пошёл снег.<p>Никто не говорил.</body></html>", "utf-8")
    records = [one for one in read([tmp_path / "Снег.html"]) if isinstance(one, Utterance)]
    assert [(one.kind, one.speaker, one.text) for one in records] == [
        ("prose", "Снег", "Утром пошёл снег."),
        ("prose", "Снег", "Никто не говорил."),
    ]


RSS = """<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:content="c" xmlns:dc="d"><channel>
<title>Блог Лидии</title>
<item><title>Второй</title><guid>2</guid><pubDate>Fri, 02 Feb 2024 10:00:00 +0000</pubDate>
<dc:creator>Лидия</dc:creator><description>Кратко.</description>
<content:encoded><![CDATA[<p>Снова &laquo;снег&raquo;.</p><pre>x</pre>]]></content:encoded>
</item>
<item><title>Первый</title><guid>1</guid><pubDate>Thu, 01 Feb 2024 10:00:00 +0000</pubDate>
<description>&lt;p&gt;Пошёл снег.&lt;/p&gt;</description></item>
<item><title>Третий</title><pubDate>never</pubDate><description>Начало […]</description></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Блог</title><author><name>Лидия</name></author>
<entry><title>Первый</title><id>1</id><updated>2024-02-01T10:00:00Z</updated><author><name>Лидия</name></author>
<content type="xhtml"><div><p>Пошёл <b>снег</b>.</p></div></content></entry></feed>"""


def test_a_feed_is_posts_the_oldest_first(tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_text(RSS, "utf-8")
    posts = [one for one in read([tmp_path / "feed.xml"]) if isinstance(one, Utterance)]
    assert [(one.speaker, one.title, one.text, one.sent_at) for one in posts] == [
        ("Блог Лидии", "Первый", "Пошёл снег.", 1706781600),
        ("Лидия", "Второй", "Снова «снег».", 1706868000),
    ]
    assert dropped(tmp_path / "feed.xml") == {"code": 1, "summary of a post": 1}
    (tmp_path / "atom.xml").write_text(ATOM, "utf-8")
    assert said(tmp_path / "atom.xml") == ["Пошёл снег."]


def a_pdf(pages: list[list[str]]) -> bytes:
    """Write a PDF of lines, as a printer would."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>"]
    kids = []
    for lines in pages:
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        stream = f"BT /F1 12 Tf 50 780 Td {shown}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    content, places = "%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    return f"{content}{end}startxref\n{len(content)}\n%%EOF\n".encode("latin-1")


def test_pdf_is_read_like_a_printed_book(tmp_path: Path) -> None:
    page = ["THE SNOW", *textwrap.wrap("In the morning it began to snow, and all of them went out to look. " * 9, 60)]
    (tmp_path / "Snow.pdf").write_bytes(a_pdf([[*page, str(number)] for number in range(1, 7)]))
    texts = said(tmp_path / "Snow.pdf")
    assert " ".join(texts).count("it began to snow, and all of them went out to look.") == 54
    assert not any("THE SNOW" in text or text.isdigit() for text in texts)
    assert dropped(tmp_path / "Snow.pdf")["running head"] == 6


@pytest.mark.parametrize(
    "content", [b"%PDF-1.4\n", b"%PDF-1.7\n1 0 obj\n<</Type/Catalog", a_pdf([["x"]]), a_pdf([["x"]])[:300]]
)
def test_a_pdf_without_text_or_that_is_broken_is_an_error_in_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        said(tmp_path / "a.pdf")
    assert caught.value.hint


def test_the_ledger_of_a_library_adds_up(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "kniga.fb2").write_text(FB2.format(encoding="utf-8"), "utf-8")
    (library / "book.epub").write_bytes(zipped(EPUB))
    (library / "Снег.docx").write_bytes(zipped(DOCX))
    (library / "feed.xml").write_text(RSS, "utf-8")
    (library / "sneg.html").write_text(PAGE.format(opening="<article>", closing="</article>"), "utf-8")
    ledger = write(read([library]), tmp_path / "corpus").ledger
    assert ledger.files.read == {"FB2 book": 1, "EPUB book": 1, "DOCX document": 1, "feed": 1, "web page": 1}
    assert ledger.read == ledger.kept + sum(ledger.dropped.values())
    assert ledger.characters.read == ledger.characters.kept + sum(ledger.characters.dropped.values())
    assert len(list(open_corpus(tmp_path / "corpus").utterances())) == ledger.kept
