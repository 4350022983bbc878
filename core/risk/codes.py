"""Every reason this desk gives for a refusal, a stop or a warning, and their table for the docs."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """A reason, as it is stored, shown and sent to whoever asked."""

    # conditions of trading
    NOT_ARMED = "NOT_ARMED"
    REDUCING = "REDUCING"
    HALTED = "HALTED"
    VENUE_NOT_READY = "VENUE_NOT_READY"
    SYMBOL_PAUSED = "SYMBOL_PAUSED"
    SYMBOL_FROZEN = "SYMBOL_FROZEN"
    FOREIGN_POSITION = "FOREIGN_POSITION"
    COOLING_DOWN = "COOLING_DOWN"
    BAD_NEWS = "BAD_NEWS"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    NOT_APPROVED = "NOT_APPROVED"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    BAD_MARKET_NEWS = "BAD_MARKET_NEWS"
    STALE_DATA = "STALE_DATA"
    CLOCK_SKEW = "CLOCK_SKEW"
    LOOP_LAG = "LOOP_LAG"
    UNGUARDED = "UNGUARDED"
    REJECTS_IN_A_ROW = "REJECTS_IN_A_ROW"
    # the order itself
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    BAD_QUANTITY = "BAD_QUANTITY"
    BAD_PRICE = "BAD_PRICE"
    BAD_STOP = "BAD_STOP"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    PRICE_COLLAR = "PRICE_COLLAR"
    NOT_REDUCING = "NOT_REDUCING"
    # limits
    ORDER_NOTIONAL = "ORDER_NOTIONAL"
    POSITION_NOTIONAL = "POSITION_NOTIONAL"
    LOSS_TO_STOP = "LOSS_TO_STOP"
    LEVERAGE = "LEVERAGE"
    VALUE_AT_RISK = "VALUE_AT_RISK"
    EXPECTED_SHORTFALL = "EXPECTED_SHORTFALL"
    CORRELATED_NOTIONAL = "CORRELATED_NOTIONAL"
    VENUE_NOTIONAL = "VENUE_NOTIONAL"
    OPEN_ORDERS = "OPEN_ORDERS"
    ORDERS_PER_SECOND = "ORDERS_PER_SECOND"
    ORDERS_PER_MINUTE = "ORDERS_PER_MINUTE"
    NOTIONAL_PER_MINUTE = "NOTIONAL_PER_MINUTE"
    # breakers
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    LOSS_STREAK = "LOSS_STREAK"
    UNPROTECTED = "UNPROTECTED"
    STOP_PASSED = "STOP_PASSED"
    INVARIANT = "INVARIANT"
    STRATEGY_FAILED = "STRATEGY_FAILED"
    MODEL_DEMOTED = "MODEL_DEMOTED"
    MODEL_DRIFT = "MODEL_DRIFT"
    MODEL_COST = "MODEL_COST"
    # orders and the venue's word
    ORDER_REJECTED = "ORDER_REJECTED"
    ORDER_NOT_SENT = "ORDER_NOT_SENT"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    ORDER_ABSENT = "ORDER_ABSENT"
    ORDER_RETURNED = "ORDER_RETURNED"
    CANCEL_FAILED = "CANCEL_FAILED"
    OVERFILL = "OVERFILL"
    FILL_ADOPTED = "FILL_ADOPTED"
    FILL_CONFLICT = "FILL_CONFLICT"
    FILL_TOO_OLD = "FILL_TOO_OLD"
    FOREIGN_ORDER = "FOREIGN_ORDER"
    DISCREPANCY = "DISCREPANCY"
    CASH_ADJUSTED = "CASH_ADJUSTED"
    ACCOUNT_REPLACED = "ACCOUNT_REPLACED"
    # answers to commands
    DONE = "DONE"
    NOTHING_TO_DO = "NOTHING_TO_DO"
    NOT_RECONCILED = "NOT_RECONCILED"
    NO_SUCH_ORDER = "NO_SUCH_ORDER"
    NO_SUCH_SIGNAL = "NO_SUCH_SIGNAL"


BREAKERS = frozenset(
    {
        Code.DAILY_LOSS,
        Code.DRAWDOWN,
        Code.LOSS_STREAK,
        Code.UNPROTECTED,
        Code.STOP_PASSED,
        Code.INVARIANT,
        Code.STRATEGY_FAILED,
    }
)
"""What trips by itself: no order was refused for it when it did."""


MEANING: dict[Code, tuple[str, str]] = {
    Code.NOT_ARMED: ("", "The desk is disarmed: it opens nothing until `killcord arm`."),
    Code.REDUCING: ("", "The desk only reduces."),
    Code.HALTED: ("", "The kill cord was pulled; `killcord resume` releases the latch."),
    Code.VENUE_NOT_READY: ("", "The venue is not reconciled, not reachable, or differs from us."),
    Code.SYMBOL_PAUSED: ("", "Opening in this symbol is paused by hand."),
    Code.SYMBOL_FROZEN: (
        "",
        "An order here has an unknown outcome, or fills contradict each other; no new risk until "
        "the venue's word resolves it.",
    ),
    Code.FOREIGN_POSITION: ("", "The position was opened by others; strategies leave it alone."),
    Code.COOLING_DOWN: ("loss_streak_cooldown", "Paused after a losing streak."),
    Code.BAD_NEWS: (
        "news_burst",
        "A burst of strongly negative news on the asset: no new longs until it has aged.",
    ),
    Code.AWAITING_APPROVAL: ("", "With `confirm_signals`: the entry waits for a person."),
    Code.NOT_APPROVED: ("", "A person rejected the entry, or it was withdrawn before an answer."),
    Code.APPROVAL_EXPIRED: ("", "Nobody answered within `confirm_within`."),
    Code.BAD_MARKET_NEWS: (
        "news_market_burst",
        "A burst of strongly negative news on the whole market: no new longs until it has aged.",
    ),
    Code.STALE_DATA: ("stale_data", "The book is too old, or there is no price."),
    Code.CLOCK_SKEW: ("clock_skew", "Our clock and the venue's differ too much."),
    Code.LOOP_LAG: (
        "loop_lag",
        "The desk stood still for too long: what it knows may be old, until it has kept time for "
        "five seconds.",
    ),
    Code.UNGUARDED: (
        "",
        "The guard is missing for three seconds: nothing is opened until one is back "
        "(`guard.required`).",
    ),
    Code.REJECTS_IN_A_ROW: (
        "rejects_in_a_row",
        "The venue refused too many orders in a row; arm again when the cause is found.",
    ),
    Code.UNKNOWN_INSTRUMENT: ("", "The venue lists no such instrument."),
    Code.BAD_QUANTITY: ("", "The quantity is not positive, or not a multiple of the lot."),
    Code.BAD_PRICE: ("", "A limit or stop price is missing, or not positive."),
    Code.BAD_STOP: ("", "The protective stop lies on the wrong side of the price."),
    Code.BELOW_MINIMUM: ("", "Smaller than the venue accepts; never rounded up."),
    Code.PRICE_COLLAR: ("price_collar", "The price is too far from the live book or mark."),
    Code.NOT_REDUCING: ("", "A reduce-only order must be smaller than an opposite position."),
    Code.ORDER_NOTIONAL: ("order_notional", "The order is too large."),
    Code.POSITION_NOTIONAL: (
        "position_notional",
        "The symbol's position over all venues, with working and unknown orders counted as "
        "filled, would be too large.",
    ),
    Code.LOSS_TO_STOP: ("loss_to_stop", "Too much would be lost if the stop is hit."),
    Code.LEVERAGE: ("leverage", "All positions together would be too large for the equity."),
    Code.VENUE_NOTIONAL: ("venue_notional", "Positions on this venue would be too large."),
    Code.VALUE_AT_RISK: ("value_at_risk", "One day in twenty the book would lose too much."),
    Code.EXPECTED_SHORTFALL: (
        "expected_shortfall",
        "The mean loss of those days would be too large.",
    ),
    Code.CORRELATED_NOTIONAL: (
        "correlated_notional",
        "Too much would be held in symbols that move as one.",
    ),
    Code.OPEN_ORDERS: ("open_orders", "Too many working orders."),
    Code.ORDERS_PER_SECOND: ("orders_per_second", "Too many orders in a second on this venue."),
    Code.ORDERS_PER_MINUTE: ("orders_per_minute", "Too many orders in a minute."),
    Code.NOTIONAL_PER_MINUTE: (
        "notional_per_minute",
        "Orders of the last minute that may open risk add up to too much.",
    ),
    Code.DAILY_LOSS: ("daily_loss", "Lost too much in the UTC day or in 24 h: halt and flatten."),
    Code.DRAWDOWN: ("drawdown", "Fell too far from the highest equity ever: halt and flatten."),
    Code.LOSS_STREAK: ("loss_streak", "Too many losing round trips in a row on an instrument."),
    Code.UNPROTECTED: ("unprotected", "A position had no working stop for too long: closed."),
    Code.STOP_PASSED: ("", "The price was beyond the stop before it could be placed: closed."),
    Code.INVARIANT: ("", "Something that must never happen did: the desk only reduces."),
    Code.STRATEGY_FAILED: (
        "",
        "A strategy raised and is stopped on this instrument; its position keeps its stop.",
    ),
    Code.MODEL_DEMOTED: ("", "A model is off duty; without one the strategy wants to be flat."),
    Code.MODEL_DRIFT: (
        "",
        "A model sees, or says, what is distributed otherwise than in its training, or no more.",
    ),
    Code.MODEL_COST: ("", "A model's orders pay more than its training assumed, or no more."),
    Code.ORDER_REJECTED: ("", "The venue refused the order."),
    Code.ORDER_NOT_SENT: ("", "The order never left this machine."),
    Code.ORDER_UNKNOWN: ("", "The venue may or may not have the order; being asked."),
    Code.ORDER_ABSENT: ("", "Proved absent: order query and a later sweep know nothing of it."),
    Code.ORDER_RETURNED: ("", "An order proved absent appeared at the venue; cancelled."),
    Code.CANCEL_FAILED: ("", "An order could not be cancelled in three attempts."),
    Code.OVERFILL: ("", "More was filled than ordered."),
    Code.FILL_ADOPTED: ("", "A fill the stream did not bring was found by a sweep."),
    Code.FILL_CONFLICT: ("", "One trade id came with two contents; the symbol is frozen."),
    Code.FILL_TOO_OLD: ("", "A fill older than our memory came; not booked."),
    Code.FOREIGN_ORDER: ("", "An order of others is on this account; counted as exposure."),
    Code.DISCREPANCY: ("", "The venue's position differs from our fills; the venue only reduces."),
    Code.CASH_ADJUSTED: ("", "The venue's cash differs from ours without a fill or funding."),
    Code.ACCOUNT_REPLACED: (
        "",
        "Another account answers here, or the test network was reset; counting starts anew.",
    ),
    Code.DONE: ("", "Done."),
    Code.NOTHING_TO_DO: ("", "There was nothing to do."),
    Code.NOT_RECONCILED: ("", "A venue is not reconciled yet, or none is ready."),
    Code.NO_SUCH_ORDER: ("", "No such working order."),
    Code.NO_SUCH_SIGNAL: ("", "No such signal waits for an answer, or no longer."),
}


def table() -> str:
    """Return the reference table of codes as Markdown."""
    lines = ["| Code | Limit | Meaning |", "|---|---|---|"]
    for code in Code:
        limit, text = MEANING[code]
        lines.append(f"| `{code}` | {f'`limits.{limit}`' if limit else ''} | {text} |")
    return "\n".join(lines) + "\n"
