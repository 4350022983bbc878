"""The difference between what a venue says and what our fills say, without deciding anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from core.model.account import PositionReport
from core.orders.machine import WorkingOrder

_ZERO = Decimal(0)


def diff_positions(
    ours: Mapping[str, Decimal], theirs: Iterable[PositionReport]
) -> dict[str, tuple[Decimal, Decimal]]:
    """Return the symbols whose signed quantities differ, as (ours, theirs) in base units.

    Args:
        ours: symbol to quantity, from fills; flat ones may be left out.
        theirs: all non-zero positions of the venue.
    """
    found = {report.symbol: report.qty for report in theirs}
    differing = {}
    for symbol in sorted(ours.keys() | found.keys()):
        mine, its = ours.get(symbol, _ZERO), found.get(symbol, _ZERO)
        if mine != its:
            differing[symbol] = (mine, its)
    return differing


def missing_orders(ours: Iterable[WorkingOrder], seen: set[str], told: int) -> list[WorkingOrder]:
    """Return our live orders that a sweep should have shown and did not.

    Args:
        ours: working orders of the venue.
        seen: client ids in the sweep.
        told: the sweep tells all up to here: what changed later may or may not be in it.
    """
    return [
        order
        for order in ours
        if order.order.client_id not in seen
        and not order.terminal
        and order.updated < told
        and order.order.created < told
    ]
