"""Version 4: an index has the places of tasks in the order in which they are given."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Adds the column, and makes the indices."""
    op.add_column("places", sa.Column("standing", sa.Double, nullable=False, server_default="0"))
    op.execute("UPDATE places SET standing = -(SELECT priority FROM tasks WHERE tasks.id = places.task_id)")
    op.drop_index("ix_places_done_until", "places")
    op.create_index("ix_places_labeller_done_until", "places", ["labeller", "done", "until"])
    op.create_index("ix_places_done_standing_turn_number", "places", ["done", "standing", "turn", "number"])
