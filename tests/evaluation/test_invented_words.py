"""Words that do not exist, told from rare ones, names, forms and typing errors."""

import pytest

from manera.evaluation.measures.invented import Lexicon, judged


@pytest.mark.parametrize(
    ("text", "invented"),
    [
        ("они прошевелились, а тренеровки кончились", ["прошевелились", "тренеровки"]),
        ("обедая с супами, ёжик и ежик идут кое-куда, скажи-ка", []),
        ("Пахомыч ютубит", ["ютубит"]),
        ("дааа, ну оооочень", []),
        ("she wasn't flubbering about the strawberries", ["flubbering"]),
        ("в 2024-м 15 кг 🥋", []),
    ],
)
def test_an_invented_word_is_one_that_no_list_knows(text: str, invented: list[str]) -> None:
    assert Lexicon([]).invented(text) == invented


def test_what_the_author_wrote_is_known() -> None:
    lexicon = Lexicon(["Тренеровки у Флюббера"])
    assert lexicon.invented("тренеровки флюббера сразуже") == ["сразуже"]


def test_names_and_foreign_alphabets_are_not_judged() -> None:
    assert judged("Флюбб сказал Größe größe привет") == ["сказал", "привет"]
