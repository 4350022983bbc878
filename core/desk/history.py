"""Rows for the SQL store, from what the engine decided."""

from __future__ import annotations

from typing import Any

import msgspec

from core.clock import DAY, HOUR
from core.journal.store import Numbers, Store
from core.market.candles import CandleBuilder
from core.market.validation import check_trade
from core.model.effect import Answer, PredictionScored, RiskEvent, Signalled
from core.model.event import Command, SentimentScored
from core.model.market import Candle, Trade
from core.model.order import Fill
from core.model.record import JournalRecord
from core.model.snapshot import Snapshot
from core.portfolio.ledger import Ledger


class History:
    """Writes the desk's history. Everything here is one dictionary and one list append."""

    def __init__(self, store: Store, ledger: Ledger, article_days: int) -> None:
        self._store = store
        self._ledger = ledger
        self._numbers = Numbers()
        self._candles: dict[tuple[str, str], CandleBuilder] = {}
        self._keep_articles = article_days * DAY
        self._cut_at = 0

    def record(self, record: JournalRecord) -> None:
        """Write what a journal record changed; it has been applied to the ledger already."""
        if isinstance(record, Fill):
            self._fill(record)
        client_id = getattr(record, "client_id", "") or getattr(
            getattr(record, "order", None), "client_id", ""
        )
        if client_id:
            self._order(client_id)

    def signal(self, effect: Signalled) -> None:
        """Write what a strategy decided."""
        row = msgspec.structs.asdict(effect)
        for part in ("parts", "chance", "edge"):  # told in the reason
            del row[part]
        self._store.put("signals", {"id": self._numbers.next()} | row)

    def news(self, event: SentimentScored) -> None:
        """Write the stories that are new or changed, and let the oldest go once in a while."""
        for story in event.stories:
            chances = story.probabilities or (None, None, None)
            row: dict[str, Any] = {
                "id": story.id,
                "published": story.published,
                "seen": story.seen,
                "title": story.title,
                "url": story.url,
                "outlets": _json(story.names),
                "assets": _json(story.assets),
                "score": story.score,
                "confidence": story.confidence,
                "negative": chances[0],
                "neutral": chances[1],
                "positive": chances[2],
                "scorer": story.scorer,
                "instead_of": story.instead_of,
            }
            self._store.put("articles", row)
        if event.received >= self._cut_at:
            self._cut_at = event.received + HOUR
            self._store.forget("articles", "seen", event.received - self._keep_articles)

    def prediction(self, effect: PredictionScored) -> None:
        """Write what a model said and what came."""
        self._store.put("predictions", msgspec.structs.asdict(effect))

    def risk(self, effect: RiskEvent) -> None:
        """Write a refusal or a breaker."""
        row = msgspec.structs.asdict(effect)
        row["limit_value"] = row.pop("limit")
        row["code"] = str(row["code"])
        self._store.put("risk_events", {"id": self._numbers.next()} | row)

    def command(self, command: Command, answer: Answer) -> None:
        """Write what was asked and what was answered."""
        row = {
            "id": self._numbers.next(),
            "ts": command.received,
            "actor": command.actor,
            "command": msgspec.json.encode(command).decode(),
            "ok": answer.ok,
            "code": answer.code,
            "detail": answer.detail,
        }
        self._store.put("commands", row)

    def trade(self, trade: Trade) -> None:
        """Count a trade that can be believed into the one-minute candles."""
        if check_trade(trade, 0.0, 0):
            return
        key = (trade.venue, trade.symbol)
        builder = self._candles.get(key)
        if builder is None:
            builder = self._candles[key] = CandleBuilder(trade.venue, trade.symbol, 60)
        closed = builder.add(trade.price, trade.qty, trade.ts, trade.received)
        if closed:
            for candle in closed:
                self.candle(candle)

    def candle(self, candle: Candle) -> None:
        """Write a closed candle."""
        row = msgspec.structs.asdict(candle)
        del row["received"]
        self._store.put("candles", row)

    def portfolio(self, picture: Snapshot) -> None:
        """Write the portfolio as it stands."""
        row = {
            "ts": picture.ts,
            "state": picture.state.value,
            "equity": picture.equity,
            "realised": picture.realised,
            "unrealised": picture.unrealised,
            "peak": picture.peak,
            "positions": len(picture.positions),
            "orders": sum(not order.status.terminal for order in picture.orders),
        }
        self._store.put("portfolio_snapshots", row)

    def _order(self, client_id: str) -> None:
        found = self._ledger.find(client_id)
        if found is None:
            return
        order = found.order
        row: dict[str, Any] = {
            "client_id": order.client_id,
            "venue": order.venue,
            "symbol": order.symbol,
            "side": order.side.value,
            "kind": order.kind.value,
            "purpose": order.purpose.value,
            "strategy": order.strategy,
            "qty": order.qty,
            "price": order.price,
            "trigger_price": order.trigger,
            "tif": order.tif.value,
            "reduce_only": order.reduce_only,
            "created": order.created,
            "venue_id": found.venue_id,
            "status": found.status.value,
            "filled": found.filled,
            "average": found.average,
            "updated": found.updated,
            "reason": found.reason,
        }
        self._store.put("orders", row)

    def _fill(self, fill: Fill) -> None:
        ledger = self._ledger
        booked = next((each for each in reversed(ledger.recent) if each.fill is fill), None)
        order = ledger.find(fill.client_id)
        self._store.put(
            "fills",
            {
                "venue": fill.venue,
                "symbol": fill.symbol,
                "trade_id": fill.trade_id,
                "ts": fill.ts,
                "client_id": fill.client_id,
                "venue_id": fill.venue_id,
                "side": fill.side.value,
                "qty": fill.qty,
                "price": fill.price,
                "commission": fill.fee,
                "pnl": booked.realised if booked else None,
                "strategy": booked.strategy if booked else "",
                "maker": fill.maker,
                "execution_ms": (fill.received - order.order.created) / 1e6 if order else None,
            },
        )
        position = ledger.positions.get((fill.venue, fill.symbol))
        if position is not None:
            self._store.put(
                "positions",
                {
                    "venue": fill.venue,
                    "symbol": fill.symbol,
                    "qty": position.qty,
                    "entry": position.entry,
                    "realised": position.realised,
                    "fees": position.fees,
                    "funding": position.funding,
                    "updated": fill.ts,
                },
            )


def _json(names: tuple[str, ...]) -> str:
    return msgspec.json.encode(names).decode()
