"""Requests made up from the schema, valid and not: every answer is as the schema says, none is a 500.

``MANERA_FUZZ_CASES=3000 pytest tests/serving/test_schema.py`` tries that many in all.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

CASES = int(os.environ.get("MANERA_FUZZ_CASES", "120"))
BODIES = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
PLAIN = ("/v1/models", "/v1/models/{model}", "/healthz", "/readyz", "/metrics")
MEMORY = ("/v1/memory", "/v1/memory/turns", "/v1/memory/search", "/v1/memory/export", "/v1/memory/relation")
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
JOBS = (
    "/v1/uploads", "/v1/uploads/{id}", "/v1/plans", "/v1/trainings", "/v1/trainings/{id}", "/v1/trainings/{id}/stop",
    "/v1/bases", "/v1/voices", "/v1/voices/{id}", "/v1/voices/{id}/report", "/v1/voices/{id}/report.html",
    "/v1/voices/{id}/rhythm", "/v1/voices/{id}/why", "/v1/voices/{id}/export", "/v1/voices/{id}/games",
    "/v1/voices/{id}/preferences", "/v1/voices/{id}/silence", "/v1/voices/{id}/trainings", "/v1/games/{id}/vote",
)  # fmt: skip
"""What is made of uploads, and voices in their folder: of the ones served here there are none."""

JOBS_WITH_BODIES = (
    "/v1/plans", "/v1/trainings", "/v1/voices/{id}/why", "/v1/voices/{id}/games", "/v1/voices/{id}/preferences",
    "/v1/voices/{id}/silence", "/v1/voices/{id}/trainings", "/v1/games/{id}/vote",
)  # fmt: skip

SHARE = {**dict.fromkeys(BODIES, 0.1), **dict.fromkeys((*PLAIN, *MEMORY), 0.02)}
"""Of the cases; what is tried with a body is tried in three ways."""


@pytest.fixture(scope="module")
def schema(api_url: str) -> schemathesis.BaseSchema:
    checks = {"negative_data_rejection": {"expected-statuses": [400, 404, 413]}}  # a schema cannot bound bytes
    config = SchemathesisConfig.from_dict({"checks": checks})
    return schemathesis.openapi.from_url(f"{api_url}/openapi.json", config=config)


def cases(schema: schemathesis.BaseSchema, path: str, mode: GenerationMode) -> Callable[..., Callable[[], None]]:
    """Try an operation with made-up requests; the same ones each time."""
    operation = schema[path]["POST" if path in BODIES else "GET"]
    count = max(1, int(CASES * SHARE[path]))
    quiet = settings(
        max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    return lambda holds: quiet(given(case=operation.as_strategy(generation_mode=mode))(holds))


def test_every_operation_is_tried(schema: schemathesis.BaseSchema) -> None:
    assert set(schema) == {*BODIES, *PLAIN, *MEMORY, *JOBS}


@pytest.mark.parametrize(
    ("path", "mode"), [*((path, POSITIVE) for path in SHARE), *((path, NEGATIVE) for path in (*BODIES, *MEMORY))]
)
def test_answers_are_as_the_schema_says(schema: schemathesis.BaseSchema, path: str, mode: GenerationMode) -> None:
    @cases(schema, path, mode)
    def holds(case: "schemathesis.Case[Any]") -> None:
        case.call_and_validate(timeout=60)

    holds()


@pytest.mark.parametrize(
    ("path", "model"),
    [("/v1/chat/completions", "anna"), ("/v1/completions", "boris"), ("/v1/embeddings", "use-multilingual-3")],
)
def test_what_a_model_is_asked_is_answered_or_refused(schema: schemathesis.BaseSchema, path: str, model: str) -> None:
    @cases(schema, path, POSITIVE)
    def holds(case: "schemathesis.Case[Any]") -> None:
        limits = {"/v1/chat/completions": ("max_tokens", "max_completion_tokens"), "/v1/completions": ("max_tokens",)}
        assert isinstance(case.body, dict)
        case.body |= {"model": model, **dict.fromkeys(limits.get(path, ()), 4)}
        # what is valid may still make no sense, as a token that the base does not have
        case.call_and_validate(timeout=60, excluded_checks=[positive_data_acceptance])

    holds()


@pytest.mark.parametrize(
    ("path", "mode"), [*((path, POSITIVE) for path in JOBS), *((path, NEGATIVE) for path in JOBS_WITH_BODIES)]
)
def test_what_is_not_there_is_refused_as_the_schema_says(
    schema: schemathesis.BaseSchema, path: str, mode: GenerationMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    for method in schema[path]:
        if (method.upper(), path) == ("POST", "/v1/uploads"):
            continue  # it takes any bytes, and starts a process
        strategy = schema[path][method].as_strategy(generation_mode=mode)

        @settings(
            max_examples=3, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=strategy)
        def holds(case: "schemathesis.Case[Any]") -> None:
            case.call_and_validate(timeout=60, excluded_checks=[positive_data_acceptance])

        holds()
