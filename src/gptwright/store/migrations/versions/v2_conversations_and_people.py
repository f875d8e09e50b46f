"""Version 2: conversations can be filed, changed and deleted; people, and the keys with which they come in."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Adds the columns, and makes the tables."""
    for column in (
        sa.Column("folder", sa.Text, nullable=False, server_default=""),
        sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("leaf", sa.Text, nullable=False, server_default=""),
        sa.Column("changed", sa.Double, nullable=False, server_default="0"),
        sa.Column("deleted", sa.Double),
    ):
        op.add_column("conversations", column)
    op.execute("UPDATE conversations SET changed = created")
    op.create_index("ix_conversations_owner_changed", "conversations", ["owner", "changed"])
    op.create_table(
        "users",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "keys",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("until", sa.Double),
        sa.Column("per_minute", sa.Integer),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_keys"),
        sa.UniqueConstraint("id", name="uq_keys_id"),
        sa.UniqueConstraint("digest", name="uq_keys_digest"),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_keys_user"),
    )
    op.create_index("ix_keys_user", "keys", ["user"])
