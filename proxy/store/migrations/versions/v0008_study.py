"""What is known of each study: arrivals, and what was held. Studies in the queue are taken over as if sent once."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KNOWN = """
INSERT INTO study (project, study_instance_uid, received, again, forgotten, first_at, last_at)
SELECT project, study_instance_uid, count(DISTINCT sop_instance_uid || sha256), 0, 0, min(queued_at), max(queued_at)
FROM delivery GROUP BY project, study_instance_uid
"""


def upgrade() -> None:
    """Make the tables, fill one, and find rows of the queue by study."""
    op.create_index("ix_delivery_study", "delivery", ["project", "study_instance_uid"])
    op.create_table(
        "study",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("again", sa.BigInteger(), nullable=False),
        sa.Column("forgotten", sa.Boolean(), nullable=False),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("project", "study_instance_uid", name=op.f("pk_study")),
    )
    op.create_index("ix_study_last_at", "study", ["last_at"])
    op.create_table(
        "held_instance",
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('held', 'replayed', 'purged')", name=op.f("ck_held_instance_state")),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_held_instance")),
    )
    op.create_index("ix_held_instance_study", "held_instance", ["project", "study_instance_uid"])
    op.execute(_KNOWN)


def downgrade() -> None:
    """Nothing is lost but counts."""
    op.drop_index("ix_held_instance_study", "held_instance")
    op.drop_table("held_instance")
    op.drop_index("ix_study_last_at", "study")
    op.drop_table("study")
    op.drop_index("ix_delivery_study", "delivery")
