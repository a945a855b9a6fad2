"""The tables of the store, as they are today; ``migrations`` is how they became so."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only what is called INTEGER."""

conversations = Table(
    "conversations",
    metadata,
    Column("id", Number, primary_key=True),
    Column("client", Text, nullable=False),
    Column("voice", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("is_group", Boolean, nullable=False),
    Column("chat", Text, nullable=False),
    UniqueConstraint("client", "voice", "owner", "is_group", "chat", name="one_conversation"),
    sqlite_autoincrement=True,
)
"""owner: the one user who talks here with the voice; empty where many do, in a group."""

turns = Table(
    "turns",
    metadata,
    Column("id", Number, primary_key=True),
    Column("conversation", Number, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("user", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("name", Text),
    Column("said_at", BigInteger, nullable=False),
    Column("direction", LargeBinary),
    CheckConstraint("role IN ('user', 'assistant')", name="known_role"),
    Index("turns_of_conversation", "conversation", "id"),
    Index("turns_of_user", "user", "id"),
    sqlite_autoincrement=True,
)
"""user: who said it, or who is answered. said_at: Unix seconds. direction: of the text, as ``retrieval`` finds it."""

relations = Table(
    "relations",
    metadata,
    Column("client", Text, nullable=False),
    Column("voice", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("relation", Text, nullable=False),
    Column("name", Text),
    PrimaryKeyConstraint("client", "voice", "user"),
)
