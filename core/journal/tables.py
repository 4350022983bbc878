"""The tables of the SQL store. History for people and reports; the write-ahead log is the truth.

Money is exact: NUMERIC where the database has it, text in SQLite, ``Decimal`` in Python on both.
Times are integer nanoseconds UTC.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Float, Index, Numeric, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine


class Exact(TypeDecorator[Decimal]):
    """A Decimal that comes back digit for digit."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose text where NUMERIC would be a float."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(40))
        return dialect.type_descriptor(Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Return what the driver takes."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return a Decimal."""
        return None if value is None else Decimal(value)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {Decimal: Exact, int: BigInteger, str: String, float: Float}  # noqa: RUF012


class OrderRow(Base):
    """An order as it last stood."""

    __tablename__ = "orders"
    client_id: Mapped[str] = mapped_column(primary_key=True)
    venue: Mapped[str]
    symbol: Mapped[str]
    side: Mapped[str]
    kind: Mapped[str]
    purpose: Mapped[str]
    strategy: Mapped[str]
    qty: Mapped[Decimal]
    price: Mapped[Decimal | None]
    trigger_price: Mapped[Decimal | None]
    tif: Mapped[str]
    reduce_only: Mapped[bool]
    created: Mapped[int]
    venue_id: Mapped[str] = mapped_column(default="")
    status: Mapped[str]
    filled: Mapped[Decimal]
    average: Mapped[Decimal | None]
    updated: Mapped[int]
    reason: Mapped[str] = mapped_column(default="")
    __table_args__ = (Index("ix_orders_created", "created"),)


class FillRow(Base):
    """One execution of our own."""

    __tablename__ = "fills"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    trade_id: Mapped[str] = mapped_column(primary_key=True)
    ts: Mapped[int]
    client_id: Mapped[str]
    venue_id: Mapped[str]
    side: Mapped[str]
    qty: Mapped[Decimal]
    price: Mapped[Decimal]
    commission: Mapped[Decimal]
    """Settlement currency; positive when paid."""
    pnl: Mapped[Decimal | None]
    """Realised by this fill, without commission; None until the engine has said."""
    strategy: Mapped[str]
    maker: Mapped[bool]
    execution_ms: Mapped[float | None]
    """From the order's intent to this fill; None for orders that were not ours."""
    __table_args__ = (Index("ix_fills_ts", "ts"),)


class PositionRow(Base):
    """A position as it last stood."""

    __tablename__ = "positions"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    qty: Mapped[Decimal]
    entry: Mapped[Decimal]
    realised: Mapped[Decimal]
    fees: Mapped[Decimal]
    funding: Mapped[Decimal]
    updated: Mapped[int]


class PortfolioRow(Base):
    """The portfolio at an instant."""

    __tablename__ = "portfolio_snapshots"
    ts: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    equity: Mapped[Decimal | None]
    realised: Mapped[Decimal]
    unrealised: Mapped[Decimal]
    peak: Mapped[Decimal | None]
    positions: Mapped[int]
    orders: Mapped[int]


class CandleRow(Base):
    """A closed candle."""

    __tablename__ = "candles"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    timeframe: Mapped[int] = mapped_column(primary_key=True)
    """Seconds."""
    ts: Mapped[int] = mapped_column(primary_key=True)
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[float]


class SignalRow(Base):
    """What a strategy decided."""

    __tablename__ = "signals"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Rising nanoseconds UTC: unique without asking the database; see ``store.Numbers``."""
    ts: Mapped[int]
    venue: Mapped[str]
    symbol: Mapped[str]
    strategy: Mapped[str]
    target: Mapped[int]
    score: Mapped[float]
    reason: Mapped[str]
    __table_args__ = (Index("ix_signals_ts", "ts"),)


class PredictionRow(Base):
    """What a model on duty said of a candle, and what came."""

    __tablename__ = "predictions"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    ts: Mapped[int] = mapped_column(primary_key=True)
    """Open time of the candle."""
    model: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    horizon: Mapped[int]
    """Candles."""
    chance: Mapped[float]
    """Of a rise, as it was said then."""
    move: Mapped[float]
    """Log return from the next open to the open ``horizon`` candles later."""


class RiskEventRow(Base):
    """A refusal or a breaker, with its numbers."""

    __tablename__ = "risk_events"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ts: Mapped[int]
    code: Mapped[str]
    venue: Mapped[str]
    symbol: Mapped[str]
    limit_value: Mapped[str]
    value: Mapped[str]
    detail: Mapped[str]
    request: Mapped[str]
    __table_args__ = (Index("ix_risk_events_ts", "ts"),)


class CommandRow(Base):
    """What a person or a program asked of the desk, and what it answered."""

    __tablename__ = "commands"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ts: Mapped[int]
    actor: Mapped[str]
    command: Mapped[str]
    """The command as JSON."""
    ok: Mapped[bool | None]
    code: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")
    __table_args__ = (Index("ix_commands_ts", "ts"),)


class ArticleRow(Base):
    """A story of the news, once however many outlets carry it, with what was made of it."""

    __tablename__ = "articles"
    id: Mapped[str] = mapped_column(primary_key=True)
    published: Mapped[int]
    seen: Mapped[int]
    """When we knew of it."""
    title: Mapped[str]
    url: Mapped[str]
    outlets: Mapped[str]
    """The names of those who carry it, as a JSON list, first one first."""
    assets: Mapped[str]
    """A JSON list."""
    score: Mapped[float | None]
    """From -1 to 1; None where there was no text to judge."""
    confidence: Mapped[float]
    negative: Mapped[float | None]
    neutral: Mapped[float | None]
    positive: Mapped[float | None]
    scorer: Mapped[str]
    """Name and hash of the engine that judged."""
    instead_of: Mapped[str]
    __table_args__ = (Index("ix_articles_seen", "seen"),)
