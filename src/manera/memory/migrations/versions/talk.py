"""Conversations, their turns, and who is what to a voice."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "conversations",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("voice", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("is_group", sa.Boolean, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.UniqueConstraint("client", "voice", "owner", "is_group", "chat", name="one_conversation"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "turns",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("conversation", NUMBER, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("said_at", sa.BigInteger, nullable=False),
        sa.Column("direction", sa.LargeBinary),
        sa.CheckConstraint("role IN ('user', 'assistant')", name="known_role"),
        sqlite_autoincrement=True,
    )
    op.create_index("turns_of_conversation", "turns", ["conversation", "id"])
    op.create_index("turns_of_user", "turns", ["user", "id"])
    op.create_table(
        "relations",
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("voice", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("relation", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.PrimaryKeyConstraint("client", "voice", "user"),
    )


def downgrade() -> None:
    """Take the tables away, with what is in them."""
    op.drop_table("relations")
    op.drop_table("turns")
    op.drop_table("conversations")
