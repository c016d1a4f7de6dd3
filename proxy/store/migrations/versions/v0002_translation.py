"""The crosswalk's translation drawer."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the drawer."""
    op.create_table(
        "translation",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key_epoch", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key_epoch", "kind", "pseudonym", name=op.f("pk_translation")),
    )


def downgrade() -> None:
    """Views start over with an empty drawer."""
    op.drop_table("translation")
