"""The identity drawer, and requests of officers to read one entry of it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "identity",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("key_epoch", sa.Integer(), nullable=False),
        sa.Column("officers", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "pseudonym", name=op.f("pk_identity")),
    )
    op.create_table(
        "reidentification",
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("approver", sa.Text(), nullable=False),
        sa.Column("approval", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('asked', 'approved', 'revealed')", name=op.f("ck_reidentification_state")),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_reidentification")),
    )
    op.create_index("ix_reidentification_requester", "reidentification", ["project", "requester", "asked_at"])


def downgrade() -> None:
    """What lay in the drawer is gone; new releases would fill a new one."""
    op.drop_index("ix_reidentification_requester", "reidentification")
    op.drop_table("reidentification")
    op.drop_table("identity")
