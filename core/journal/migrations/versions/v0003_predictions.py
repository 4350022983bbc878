"""What models said, and what came."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("chance", sa.Float(), nullable=False),
        sa.Column("move", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol", "ts", "model", "role"),
    )


def downgrade() -> None:
    op.drop_table("predictions")
