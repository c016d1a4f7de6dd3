"""Which devices instances came from, counted."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_KEY = ("project", "manufacturer", "model", "modality", "sop_class_uid", "answer", "reason")


def upgrade() -> None:
    """Make the table; nothing has been counted."""
    op.create_table(
        "device_seen",
        *(sa.Column(name, sa.Text(), nullable=False) for name in _KEY),
        sa.Column("instances", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY, name=op.f("pk_device_seen")),
    )


def downgrade() -> None:
    """Counts are lost."""
    op.drop_table("device_seen")
