"""Orders and ledger against a venue that is honest and unreliable: any word late, twice or never.

Hypothesis draws the story. Whatever was heard, nothing goes backwards and nothing is believed that
was never so; a restart from the journal changes nothing; once all is heard, the books are equal.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.model.market import Side
from core.model.order import Fill, Order, OrderKind, OrderReport, OrderSent, OrderStatus, Outcome
from core.model.record import Intent, JournalRecord, VenueBaseline, decode, encode
from core.portfolio.checkpoint import Checkpoint, restore, take
from core.portfolio.ledger import Ledger

VENUE, SYMBOL = "bybit", "BTC/USDT:USDT"
CASH = Decimal(1000)
ENDS = (OrderStatus.CANCELLED, OrderStatus.EXPIRED)


class Truth:
    """One order as the venue has it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.filled = Decimal(0)
        self.status = OrderStatus.OPEN
        self.past = [(self.status, self.filled)]
        """Every state it ever had: what a late report may still say."""

    def change(self, status: OrderStatus, filled: Decimal) -> None:
        self.status, self.filled = status, filled
        self.past.append((status, filled))


class Books(RuleBasedStateMachine):
    """The ledger on one side, the venue's truth on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.journal: list[bytes] = []
        self.orders: dict[str, Truth] = {}
        self.fills: list[Fill] = []
        self.known: dict[str, tuple[bool, OrderStatus, Decimal, Decimal]] = {}
        self.now = 10

    def write(self, record: JournalRecord) -> None:
        self.journal.append(encode(record))
        self.ledger.apply(record)

    @initialize()
    def begin(self) -> None:
        self.write(VenueBaseline(VENUE, "1", CASH, (), Decimal(0), CASH, 1))

    # --- what happens at the venue

    @rule(side=st.sampled_from(list(Side)), qty=st.integers(1, 5))
    def send(self, side: Side, qty: int) -> None:
        name = f"K1TEST01{len(self.orders) + 1:09d}E000000"
        order = Order(name, VENUE, SYMBOL, side, OrderKind.LIMIT, Decimal(qty), self.now)
        self.write(Intent(order))
        self.orders[name] = Truth(order)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), price=st.integers(90, 110))
    def fill(self, data: st.DataObject, price: int) -> None:
        truth = data.draw(st.sampled_from(self.live()))
        left = int(truth.order.qty - truth.filled)
        qty = Decimal(data.draw(st.integers(1, left)))
        self.now += 1
        order = truth.order
        self.fills.append(
            Fill(
                VENUE, SYMBOL, f"t{len(self.fills)}", order.client_id, "", order.side, qty,
                Decimal(price), Decimal("0.01"), False, self.now, self.now,
            )
        )  # fmt: skip
        done = truth.filled + qty == order.qty
        truth.change(OrderStatus.FILLED if done else OrderStatus.PARTIAL, truth.filled + qty)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), status=st.sampled_from(ENDS))
    def end(self, data: st.DataObject, status: OrderStatus) -> None:
        truth = data.draw(st.sampled_from(self.live()))
        truth.change(status, truth.filled)

    def live(self) -> list[Truth]:
        return [truth for truth in self.orders.values() if not truth.status.terminal]

    # --- what is heard of it

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.ACCEPTED, Outcome.UNKNOWN]))
    def hear_outcome(self, data: st.DataObject, outcome: Outcome) -> None:
        name = data.draw(st.sampled_from(sorted(self.orders)))
        self.write(OrderSent(VENUE, SYMBOL, name, outcome, self.now, f"v{name}"))

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def hear_report(self, data: st.DataObject) -> None:
        truth = self.orders[data.draw(st.sampled_from(sorted(self.orders)))]
        self.report(truth, *data.draw(st.sampled_from(truth.past)))

    def report(self, truth: Truth, status: OrderStatus, filled: Decimal) -> None:
        order = truth.order
        self.write(
            OrderReport(
                VENUE, SYMBOL, order.client_id, f"v{order.client_id}", order.side, order.kind,
                status, order.qty, filled, self.now, self.now,
            )
        )  # fmt: skip

    @precondition(lambda self: self.fills)
    @rule(data=st.data())
    def hear_fill(self, data: st.DataObject) -> None:
        self.write(data.draw(st.sampled_from(self.fills)))

    # --- a crash

    @rule(turn=st.booleans())
    def restart(self, turn: bool) -> None:
        """Rebuild the ledger from what is on disk; sometimes from a checkpoint."""
        if turn:
            data = msgspec.json.encode(take(self.ledger))
            self.ledger = restore(msgspec.json.decode(data, type=Checkpoint))
        else:
            self.ledger = Ledger.replay(decode(record) for record in self.journal)

    # --- what holds always

    @invariant()
    def nothing_goes_back_and_nothing_is_made_up(self) -> None:
        for name, truth in self.orders.items():
            order = self.ledger.find(name)
            assert order is not None
            assert order.filled <= truth.filled
            assert order.booked <= truth.filled
            if order.terminal:
                assert truth.status.terminal
                assert order.status is truth.status
            before = self.known.get(name)
            if before is not None:
                assert order.filled >= before[2]
                assert order.booked >= before[3]
                assert order.terminal or not before[0]
            self.known[name] = (order.terminal, order.status, order.filled, order.booked)

    @invariant()
    def the_position_is_the_sum_of_the_fills_heard(self) -> None:
        heard = [fill for fill in self.fills if self.ledger.known(fill) is not None]
        total = sum((fill.qty if fill.side == "buy" else -fill.qty for fill in heard), Decimal(0))
        assert self.ledger.position(VENUE, SYMBOL).qty == total

    def teardown(self) -> None:
        """Let everything be heard at last."""
        if not self.journal:
            return
        for truth in self.orders.values():
            self.report(truth, truth.status, truth.filled)
        for fill in reversed(self.fills):
            self.write(fill)
        self.nothing_goes_back_and_nothing_is_made_up()
        for name, truth in self.orders.items():
            order: Any = self.ledger.find(name)
            assert (order.status, order.filled) == (truth.status, truth.filled)
            assert order.settled or not truth.status.terminal
        held = self.ledger.position(VENUE, SYMBOL)
        spent = sum((self._value(fill) + fill.fee for fill in self.fills), Decimal(0))
        cash = self.ledger.accounts[VENUE].cash
        assert abs(cash - held.qty * held.entry - (CASH - spent)) < Decimal("1e-9")

    @staticmethod
    def _value(fill: Fill) -> Decimal:
        return fill.price * (fill.qty if fill.side == "buy" else -fill.qty)


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=80, stateful_step_count=40)
