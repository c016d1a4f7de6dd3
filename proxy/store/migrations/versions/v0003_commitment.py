"""Requests for storage commitment, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "commitment",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "request", name=op.f("pk_commitment")),
    )


def downgrade() -> None:
    """Who asked asks again."""
    op.drop_table("commitment")
