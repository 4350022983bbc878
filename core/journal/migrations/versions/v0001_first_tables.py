"""The first tables."""

import sqlalchemy as sa
from alembic import op

from core.journal.tables import Exact

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "candles",
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("timeframe", sa.BigInteger(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("close", sa.Float(), nullable=False),
        sa.Column("volume", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol", "timeframe", "ts"),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_commands_ts", "commands", ["ts"], unique=False)
    op.create_table(
        "fills",
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("trade_id", sa.String(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("venue_id", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("qty", Exact(), nullable=False),
        sa.Column("price", Exact(), nullable=False),
        sa.Column("commission", Exact(), nullable=False),
        sa.Column("pnl", Exact(), nullable=True),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("maker", sa.Boolean(), nullable=False),
        sa.Column("execution_ms", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("venue", "symbol", "trade_id"),
    )
    op.create_index("ix_fills_ts", "fills", ["ts"], unique=False)
    op.create_table(
        "orders",
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("qty", Exact(), nullable=False),
        sa.Column("price", Exact(), nullable=True),
        sa.Column("trigger_price", Exact(), nullable=True),
        sa.Column("tif", sa.String(), nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("venue_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("filled", Exact(), nullable=False),
        sa.Column("average", Exact(), nullable=True),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.create_index("ix_orders_created", "orders", ["created"], unique=False)
    op.create_table(
        "portfolio_snapshots",
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("equity", Exact(), nullable=True),
        sa.Column("realised", Exact(), nullable=False),
        sa.Column("unrealised", Exact(), nullable=False),
        sa.Column("peak", Exact(), nullable=True),
        sa.Column("positions", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ts"),
    )
    op.create_table(
        "positions",
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("qty", Exact(), nullable=False),
        sa.Column("entry", Exact(), nullable=False),
        sa.Column("realised", Exact(), nullable=False),
        sa.Column("fees", Exact(), nullable=False),
        sa.Column("funding", Exact(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol"),
    )
    op.create_table(
        "risk_events",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("limit_value", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_risk_events_ts", "risk_events", ["ts"], unique=False)
    op.create_table(
        "signals",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_signals_ts", "signals", ["ts"], unique=False)


def downgrade() -> None:
    for table in (
        "candles",
        "commands",
        "fills",
        "orders",
        "portfolio_snapshots",
        "positions",
        "risk_events",
        "signals",
    ):
        op.drop_table(table)
