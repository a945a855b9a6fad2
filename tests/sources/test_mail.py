"""Mailboxes and letters: own words only."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from manera.sources.mail_text import own_words
from told import cuts, ledger, owners, read_text, reasons, talk, utterances


def letter(
    number: int, text: str, sender: str = "Ася Тест <asya@example.org>", page: str | None = None, **fields: str
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = "boris@example.org"
    message["Subject"] = fields.pop("Subject", "Груши")
    message["Date"] = f"Tue, 12 Mar 2024 18:0{number}:00 +0300"
    message["Message-ID"] = f"<{number}@example.org>"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    if page is not None:
        message.set_content(page, subtype="html")
    return message


def mailbox(*letters: EmailMessage) -> bytes:
    return b"".join(b"From someone@example.org Tue Mar 12 18:05:00 2024\n" + bytes(one) + b"\n\n" for one in letters)


BORIS = "Борис <Boris@Example.org>"


def test_a_talk_by_mail_in_order_of_time_and_with_its_owner(tmp_path: Path) -> None:
    attribution = "вт, 12 мар. 2024 г. в 18:01, Ася Тест <asya@example.org>:"
    answer = f"Возьми лестницу.\n\n{attribution}\n\n> Груши созрели.\n> Придёшь?\n"
    records = read_text(
        tmp_path / "Отправленные.mbox",
        mailbox(
            letter(2, answer, BORIS, Subject="Re: Груши", In_Reply_To="<1@example.org>", X_Gmail_Labels="Sent"),
            letter(1, "Груши созрели.\nПридёшь?\n-- \nАся Тест, садовод\nтел. 000\n"),
        ),
    )
    assert talk(records) == [("Ася Тест", "Груши созрели.\nПридёшь?"), ("Борис", "Возьми лестницу.")]
    first, second = utterances(records)
    assert (first.thread, first.thread_id, first.sent_at) == ("Груши", "mail:<1@example.org>", 1710255660)
    assert (second.thread_id, second.reply_to) == (first.thread_id, first.position)
    assert owners(records) == [("boris@example.org", False)]
    assert cuts(records).keys() == {"quotation", "signature"}
    ledger(records)


def test_what_is_no_letter_of_a_person_has_its_name(tmp_path: Path) -> None:
    records = read_text(
        tmp_path / "all.mbox",
        mailbox(
            letter(1, "Скидки!", List_Unsubscribe="<mailto:no@example.org>"),
            letter(2, "Я в отпуске.", Auto_Submitted="auto-replied"),
            letter(3, "Купите", X_Gmail_Labels="Spam"),
            letter(4, " \n"),
            letter(5, "> Груши созрели.\n"),
            letter(6, "---------- Forwarded message ---------\nFrom: A <a@example.org>\nчужое\n"),
            letter(7, "слово"),
        ),
    )
    assert reasons(records) == ["mailing", "mailing", "spam or bin", "letter without text", "quotation", "forward"]
    assert talk(records) == [("Ася Тест", "слово")]


def test_a_letter_that_is_a_page(tmp_path: Path) -> None:
    page = """<html><head><style>p {}</style></head><body><div>Привет,<br>Боря!</div>
    <p>Груши   созрели.</p><div class="gmail_quote">12 марта Борис пишет: <blockquote>когда?</blockquote></div>
    <div class="gmail_signature">Ася, садовод</div></body></html>"""
    records = read_text(tmp_path / "one.eml", bytes(letter(1, "", page=page)))
    assert talk(records) == [("Ася Тест", "Привет,\nБоря!\n\nГруши созрели.")]
    assert cuts(records).keys() == {"quotation", "signature"}


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Да.\n\nOn Tue, 12 Mar 2024 at 18:05, Ann Test <ann@example.org>\nwrote:\n> Coming?\n", "Да."),
        ("> Когда?\nЗавтра.\n> Где?\nУ забора.\n", "Завтра.\nУ забора."),
        ("Ja.\n\nAm 12.03.24 um 18:05 schrieb Uwe Test:\n> Kommst du?\n", "Ja."),
        ("Да.\n\nFrom: Ann <ann@example.org>\nSent: Tuesday\nTo: B\nSubject: x\n\nComing?\n", "Да."),
        ("Да.\n\nОтправлено с iPhone\n", "Да."),
        ("Список:\nраз\nдва\n", "Список:\nраз\nдва"),
    ],
)
def test_own_words(text: str, own: str) -> None:
    assert own_words(text)[0].rstrip("\n") == own


def test_lines_that_the_program_broke_are_joined() -> None:
    broken = "Груши созрели все сразу, и мы не знаем, что с ними делать, \nпотому что банок больше нет."
    assert "\n" not in own_words(broken, 'text/plain; charset="utf-8"; format=flowed')[0]


def test_broken_letters_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    odd = (
        b"From x Tue Mar 12 18:05:00 2024\nFrom: =?bad?q?=FF?= <a@b\nDate: never\nSubject: =?utf-8?b?0?=\n"
        b"Content-Type: text/plain; charset=nonsense\nContent-Transfer-Encoding: base64\n\n!!!\n\n"
        b"From x Tue Mar 12 18:05:00 2024\nFrom: b@example.org\n\n\xcf\xf0\xe8\xe2\xe5\xf2, \xc0\xf1\xff. "
        b"\xcf\xf0\xe8\xe2\xe5\xf2 \xe5\xf9\xb8 \xf0\xe0\xe7.\n\nFrom here on it is text.\n"
    )
    records = read_text(tmp_path / "odd.mbox", odd)
    assert len(reasons(records)) + len(utterances(records)) == 2
    assert any("From here on it is text." in said.text for said in utterances(records))
