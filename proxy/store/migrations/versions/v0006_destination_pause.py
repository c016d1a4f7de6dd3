"""Destinations that an operator has paused."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nothing is paused."""
    op.create_table(
        "destination_pause",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_destination_pause")),
    )


def downgrade() -> None:
    """What was paused goes on."""
    op.drop_table("destination_pause")
