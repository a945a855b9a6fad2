"""Opening a store: tables made, moved up and down, and what is told where that cannot be."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from manera.errors import StoreError
from manera.memory import migrating, opening, scope, settings
from manera.memory.store import Store
from manera.memory.tables import metadata
from manera.memory.talk import Said, Talk

ANNA = Talk("", "anna", "u", "c")


def raw(place: str) -> Any:
    """Open the same database without ours."""
    return create_engine(opening.url_of(place))


def change(place: str, *statements: str) -> None:
    engine = raw(place)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def tables(place: str) -> set[str]:
    engine = raw(place)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_tables_are_those_of_the_code(place: str) -> None:
    with Store(place):
        pass
    engine = raw(place)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_down_and_up_again(place: str) -> None:
    engine = opening.open_engine(place)
    migrating.downgrade(engine)
    assert tables(place) == {"alembic_version"}
    migrating.upgrade(engine)
    engine.dispose()
    assert tables(place) == {"alembic_version", *metadata.tables}


def test_migration_that_breaks_off_changes_nothing(place: str) -> None:
    change(place, "CREATE TABLE turns (id INTEGER)")
    with pytest.raises(StoreError, match="no version: turns"):
        Store(place)
    assert tables(place) == {"turns"}


def test_half_migrated_store_is_told(place: str) -> None:
    with Store(place):
        pass
    change(place, "DROP TABLE relations")
    with pytest.raises(StoreError, match=r"half migrated: it lacks relations\.client") as told:
        Store(place)
    assert "copy" in str(told.value.hint)


def test_newer_store_is_left_alone(place: str) -> None:
    with Store(place) as store:
        store.ask(ANNA, [Said("привет")])
    change(place, "UPDATE alembic_version SET version_num = '99'")
    with pytest.raises(StoreError, match="newer manera: its version is 99"):
        Store(place)
    change(place, "UPDATE alembic_version SET version_num = '1'")
    with Store(place) as store:
        assert len(store.turns(scope.own("", "u"), 9)) == 1


def _open_and_say(place: str, number: int) -> None:
    with Store(place) as store:
        store.ask(Talk("", "anna", f"u{number}", "c"), [Said("привет")])


def test_those_who_open_at_once_migrate_once(place: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: _open_and_say(place, number), range(4)))
    with Store(place) as store:
        assert len(store.people()) == 4


def test_locked_store_is_told_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    path = tmp_path / "memory.sqlite"
    with Store(str(path)) as store:
        asked = store.ask(ANNA, [Said("привет")])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="is locked") as told:
                store.answer(asked, "u", "да")
            assert str(path) in told.value.message
            assert [turn.text for turn in store.last_turns(ANNA, 9)] == ["привет"]  # who reads does not wait
        store.answer(asked, "u", "да")
        assert [turn.text for turn in store.last_turns(ANNA, 9)] == ["привет", "да"]


@pytest.mark.parametrize(
    ("content", "told"), [(b"no database" * 200, "no SQLite file"), (b"SQLite format 3\0" + b"x" * 4096, "no SQLite")]
)
def test_file_that_is_no_store_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "memory.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=told):
        Store(str(path))
    assert path.read_bytes() == content


def test_place_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(str(tmp_path))
    with pytest.raises(StoreError, match="SQLite or PostgreSQL"):
        Store("mysql://host/db")
    with pytest.raises(StoreError, match="URL cannot be read"):
        Store("://")


def test_unreachable_postgres_is_told_without_its_password() -> None:
    with pytest.raises(StoreError, match="Connection refused") as told:
        Store("postgresql://user:secret@127.0.0.1:1/db")
    assert "secret" not in told.value.message


def test_no_words_are_in_an_error(empty_postgres: str) -> None:
    with Store(empty_postgres) as store:
        change(empty_postgres, "ALTER TABLE turns ADD CHECK (text <> 'секрет')")
        with pytest.raises(StoreError) as told:
            store.ask(ANNA, [Said("секрет")])
    assert "секрет" not in told.value.message


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("postgres://h/d", "postgresql+psycopg://h/d"),
        ("postgresql://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:////a/b", "sqlite:////a/b"),
        ("/a/b", "sqlite:////a/b"),
    ],
)
def test_places_are_paths_and_urls(place: str, url: str) -> None:
    assert opening.url_of(place).render_as_string() == url


def test_environment_names_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manera.toml").write_text('[memory]\nstore = "a.sqlite"\nrecalled = 1\n', "utf-8")
    assert settings.resolve() == settings.MemoryConfig(store="a.sqlite", recalled=1)
    monkeypatch.setenv("MANERA_STORE_URL", "b.sqlite")
    assert settings.resolve().store == "b.sqlite"
