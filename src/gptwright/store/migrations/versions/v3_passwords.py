"""Version 3: people have passwords, and come in with them."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Adds the column, and makes the table."""
    op.add_column("users", sa.Column("password", sa.Text))
    op.create_table(
        "logins",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_logins"),
        sa.UniqueConstraint("digest", name="uq_logins_digest"),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_logins_user"),
    )
    op.create_index("ix_logins_user", "logins", ["user"])
