"""The words of a report by id and language; an id without words stands for itself."""

from collections.abc import Mapping

from manera.evaluation.report.words_en import ENGLISH
from manera.evaluation.report.words_ru import RUSSIAN

LANGUAGES: dict[str, dict[str, dict[str, str]]] = {"en": ENGLISH, "ru": RUSSIAN}


def words_of(language: str, table: str, id: str, parameters: Mapping[str, object] | None = None) -> str:
    """Look up an id, such as the unit ``bits_per_byte``, and fill in the parameters that its words name.

    An id may end in a name: ``against.anna`` has the words of ``against`` with that name.
    """
    known = LANGUAGES[language][table]
    if id in known:
        return known[id].format_map(parameters or {})
    kind, _, name = id.partition(".")
    pattern = known.get(kind, "")
    return pattern.format(name=name) if name and "{name}" in pattern else id
