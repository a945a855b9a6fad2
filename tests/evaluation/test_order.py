"""The order inside evaluation, read from the imports: measures, then parts, then what opens values for them."""

from pathlib import Path

import pytest
from house import imports_of

from manera import evaluation

SOURCE = Path(evaluation.__file__).parent
ABOVE = ("manera.evaluation.evaluate", "manera.evaluation.opening")
FORBIDDEN = {
    "measures": (*ABOVE, "manera.evaluation.parts", "manera.model", "manera.generation", "torch"),
    "parts": (*ABOVE, "manera.evaluation.parts"),
    "report": (*ABOVE, "manera.evaluation.parts", "manera.generation", "torch"),
}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_module_knows_nothing_of_those_that_use_it(folder: str) -> None:
    found = [
        (path.name, name)
        for path in (SOURCE / folder).glob("*.py")
        for name in imports_of(path)
        for forbidden in FORBIDDEN[folder]
        if f"{name}.".startswith(f"{forbidden}.")
    ]
    assert not found


def test_only_what_measures_a_voice_or_lets_it_answer_opens_values() -> None:
    using = {path.name for path in SOURCE.rglob("*.py") if any(n.startswith(ABOVE) for n in imports_of(path))}
    assert using == {"evaluate.py", "same_prompts.py"}
