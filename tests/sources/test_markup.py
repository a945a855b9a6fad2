"""XML and HTML of strangers: read where it can be, refused with words, and never for long."""

import time
from xml.etree.ElementTree import Element

import pytest

from manera.errors import SourceError
from manera.sources.html import parse_html
from manera.sources.xml import MAX_DEPTH, parse_xml, text_of

LAUGHS = '<!DOCTYPE a [<!ENTITY l0 "ha">' + "".join(
    f'<!ENTITY l{number + 1} "{f"&l{number};" * 10}">' for number in range(9)
)


def test_prefixes_of_namespaces_are_taken_off() -> None:
    root = parse_xml('<f:a xmlns:f="x" xmlns:l="y"><f:b l:href="c">один&nbsp;два</f:b></f:a>', "a")
    assert (root.tag, root[0].tag, root[0].attrib["href"], text_of(root)) == ("a", "b", "c", "один\u00a0два")


def test_a_declared_encoding_does_not_matter_for_text_is_text() -> None:
    assert text_of(parse_xml('<?xml version="1.0" encoding="windows-1251"?><a>да</a>', "a")) == "да"


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS + "]><a>&l9;</a>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://localhost/x.dtd"> %x;]><a/>',
    ],
    ids=["billion laughs", "file", "parameter"],
)
def test_entities_are_refused(text: str) -> None:
    with pytest.raises(SourceError, match="declares an entity"):
        parse_xml(text, "a.fb2")


def test_nothing_outside_is_asked_for() -> None:
    text = '<!DOCTYPE html PUBLIC "x" "http://localhost:1/x.dtd"><html>&unknown;</html>'
    assert text_of(parse_xml(text, "a")) == "\ufffd"


@pytest.mark.parametrize(
    ("text", "place"), [("<a><b></a>", "line 1, column 9"), ("<a>\n<b>", "line 2"), ("", "line 1")]
)
def test_what_is_broken_is_told_with_its_place(text: str, place: str) -> None:
    with pytest.raises(SourceError, match=place):
        parse_xml(text, "a.xml")


def test_what_stands_before_a_break_can_be_saved() -> None:
    root = parse_xml("<a><p>цело</p><p>обор</b", "a.xml", salvage=True)
    assert [text_of(part) for part in root] == ["цело", "обор"]


def test_nesting_is_bounded() -> None:
    deep = "<a>" * 10_000
    with pytest.raises(SourceError, match=f"more than {MAX_DEPTH} deep"):
        parse_xml(deep, "a.xml")
    assert text_of(parse_html(deep + "да")) == "да"


def told(element: Element) -> str:
    parts = " ".join(map(told, element))
    return element.tag + (f"({parts})" if parts else "")


@pytest.mark.parametrize(
    ("html", "shape"),
    [
        ("", "html"),
        ("текст", "html(body)"),
        ("<p>один<p>два", "html(body(p p))"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>d", "html(body(ul(li li(ul(li)))))"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "html(body(table(tr(td td) tr(td))))"),
        ("<p>a<div>b</div>", "html(body(p div))"),
        ("<br>a</br><img src=x>", "html(body(br img))"),
        ("<script>if (a < b) '<p>'</script><p>c", "html(head(script) body(p))"),
        ("a</p></div>", "html(body)"),
        ("<body><p>a</p></body></html><p>after", "html(body(p) p)"),
        (
            '<?xml version="1.0"?><html><head><title>a</title></head><body><br/>b</body></html>',
            "html(head(title) body(br))",
        ),
    ],
)
def test_what_is_not_closed_ends_where_browsers_end_it(html: str, shape: str) -> None:
    assert told(parse_html(html)) == shape


def test_a_page_in_any_letters_is_read() -> None:
    assert text_of(parse_html("<P CLASS=x>&laquo;да&raquo; &#1103;\0\ud83d")) == "«да» я\ufffd?"


@pytest.mark.parametrize("part", ["<", "<a ", "<!--", "</", "&", "<![CDATA[", "<!doctype", "<div>", "<li>", "<a b='"])
def test_no_page_takes_for_ever(part: str) -> None:
    started = time.process_time()
    parse_html(part * 200_000)
    assert time.process_time() - started < 10
