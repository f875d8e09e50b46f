"""Version 5: branches of a conversation can be deleted."""

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("messages", sa.Column("deleted", sa.Double))
