"""Every id that a report may hold has words in every language."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from manera import evaluation
from manera.cli.evaluating import PARTS as ANNOUNCED
from manera.evaluation import other_authors
from manera.evaluation.evaluate import LEARNING_CURVE, PARTS
from manera.evaluation.report.document import AGAINST
from manera.evaluation.report.words import LANGUAGES, words_of

SOURCE = Path(evaluation.__file__).parent
NAMED = {"metric": ("id", "found", "unit", "n", "better", "of"), "count": ("id", "value", "unit", "n", "better", "of")}
TABLES = {"unit": "units", "better": "better", "of": "of"}


def strings_of(tree: ast.AST) -> Iterator[tuple[ast.Call, dict[str, str]]]:
    """Yield each call by name, and the strings that names were bound to before, as in ``name, unit = id, "cosine"``."""
    bound: dict[str, str] = {}
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.Call)]
    for node in sorted(statements, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node, dict(bound)
        elif isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            for name, value in zip(node.targets[0].elts, node.value.elts, strict=True):
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                    bound[name.id] = str(value.value)


def calls() -> Iterator[tuple[ast.Call, dict[str, str]]]:
    """Yield what is called in the source of evaluation and of its command."""
    for path in (*SOURCE.rglob("*.py"), SOURCE.parent / "cli" / "evaluating.py"):
        yield from strings_of(ast.parse(path.read_text("utf-8")))


def ids_of_metrics() -> set[tuple[str, str]]:
    """Return the units, directions and counted things of all metrics, by table."""
    found = set()
    for call, bound in calls():
        assert isinstance(call.func, ast.Name)
        for name, argument in zip(NAMED.get(call.func.id, ()), call.args, strict=False):
            if name in TABLES:
                value = argument.value if isinstance(argument, ast.Constant) else bound.get(ast.unparse(argument))
                if value is None:
                    assert name == "better", ast.unparse(call)  # chosen between two that are literals elsewhere
                else:
                    found.add((TABLES[name], str(value)))
    return found


def ids_of_reasons() -> set[tuple[str, str]]:
    return {
        ("reasons", str(call.args[0].value))
        for call, _ in calls()
        if ast.unparse(call.func) == "NotMeasuredError" and isinstance(call.args[0], ast.Constant)
    }


USED = sorted(
    ids_of_metrics()
    | ids_of_reasons()
    | {("better", better) for better in ("higher", "lower", "nearer_half", "neither")}
    | {("of", "conversations")}
    | {("parts", part.name) for part in (*PARTS, LEARNING_CURVE)}
    | {("parts", AGAINST), ("others", other_authors.OTHER_VOICE)}
    | {("others", other_authors.SAME_CONVERSATIONS), ("others", other_authors.UNTRAINED_BASE)}
)


def test_both_languages_have_words_for_the_same_ids() -> None:
    english, russian = LANGUAGES["en"], LANGUAGES["ru"]
    assert english.keys() == russian.keys()
    for table in english:
        assert english[table].keys() == russian[table].keys()


def test_the_words_of_an_id_name_the_same_parameters_in_both_languages() -> None:
    def named(words: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(words) if name}

    for table, words in LANGUAGES["en"].items():
        for id, text in words.items():
            assert named(text) == named(LANGUAGES["ru"][table][id]), id


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_id_that_is_used_has_words(language: str) -> None:
    missing = [(table, id) for table, id in USED if id not in LANGUAGES[language][table]]
    assert not missing


def test_no_words_are_kept_for_what_is_never_said() -> None:
    for table in ("units", "better", "of", "parts", "reasons", "others"):
        assert {id for used, id in USED if used == table} >= LANGUAGES["en"][table].keys()


def test_every_part_is_announced() -> None:
    assert ANNOUNCED.keys() == {part.name for part in (*PARTS, LEARNING_CURVE)}


def test_an_id_may_end_in_a_name_and_one_without_words_stands_for_itself() -> None:
    assert words_of("en", "parts", "against.anna.k") == "against anna.k"
    assert words_of("ru", "others", "voice.anna") == "голоса anna"
    assert words_of("en", "others", "channel-ru: НИИ") == "channel-ru: НИИ"
    assert words_of("en", "units", "quality.of.life") == "quality.of.life"
