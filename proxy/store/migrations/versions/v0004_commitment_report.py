"""Reports of storage commitment that are owed to application entities."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "commitment_report",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("settled_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_code", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'owed', 'reported', 'given_up')", name=op.f("ck_commitment_report_state")
        ),
        sa.PrimaryKeyConstraint("project", "request", name=op.f("pk_commitment_report")),
    )
    op.create_index("ix_commitment_report_due", "commitment_report", ["state", "due_at"])


def downgrade() -> None:
    """Who waits for a report asks again."""
    op.drop_index("ix_commitment_report_due", "commitment_report")
    op.drop_table("commitment_report")
