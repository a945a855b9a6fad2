"""Bring a store's tables to a version: whole or not at all, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from manera.errors import StoreError
from manera.memory.tables import metadata

STEPS = Path(__file__).parent / "migrations"
NONE = "base"
"""The version before the first: no tables."""

_LOCK = 0x6D616E657261
"""By which processes that migrate one PostgreSQL wait for each other."""


def upgrade(engine: Engine) -> None:
    """Bring the tables up to today; raise StoreError where they are not what their version says."""
    with engine.begin() as connection:
        _wait_for_others(connection)
        _require_known(connection)
        command.upgrade(_config(connection), "head")
        _require_whole(connection)


def downgrade(engine: Engine, version: str = NONE) -> None:
    """Bring the tables down to an older version: what it has no room for is lost."""
    with engine.begin() as connection:
        _wait_for_others(connection)
        command.downgrade(_config(connection), version)


def _config(connection: Connection | None = None) -> Config:
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    return made


def _wait_for_others(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # on SQLite the transaction itself does
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _require_known(connection: Connection) -> None:
    heads = MigrationContext.configure(connection).get_current_heads()
    steps = {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}
    unknown = set(heads) - steps
    if unknown:
        raise StoreError(
            f"the store was written by a newer manera: its version is {', '.join(sorted(unknown))}",
            "upgrade manera, or name another store with MANERA_STORE_URL",
        )
    found = set(inspect(connection).get_table_names())
    if not heads and found & set(metadata.tables):
        raise StoreError(
            f"the store has tables of talk and no version: {', '.join(sorted(found & set(metadata.tables)))}",
            "restore it from its copy, or name another store with MANERA_STORE_URL",
        )


def _require_whole(connection: Connection) -> None:
    inspector = inspect(connection)
    there = {
        f"{table}.{column['name']}"
        for table in set(inspector.get_table_names()) & set(metadata.tables)
        for column in inspector.get_columns(table)
    }
    missing = {str(column) for table in metadata.tables.values() for column in table.columns} - there
    if missing:
        raise StoreError(
            f"the store is half migrated: it lacks {', '.join(sorted(missing))}",
            "restore it from its copy, or name another store with MANERA_STORE_URL",
        )
