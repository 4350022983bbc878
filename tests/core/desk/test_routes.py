"""What an order would cost on live books."""

from __future__ import annotations

from decimal import Decimal

from core.desk.routes import rank, route
from core.model.market import Depth, Side
from tests.core.engine.scene import BTC, instrument

D = Decimal
BOOK = Depth("bybit", BTC, ((99.0, 1.0), (98.0, 1.0)), ((101.0, 1.0), (102.0, 3.0)), 0, 0)


def test_slippage_is_measured_from_the_middle_and_positive_costs() -> None:
    buy = route(instrument(), BOOK, Side.BUY, D(2))
    assert (buy.qty, buy.average, buy.slippage) == (D(2), D("101.5"), D("0.015"))
    assert buy.fee == D(203) * instrument().taker_fee
    sell = route(instrument(), BOOK, Side.SELL, D(2))
    assert (sell.average, sell.slippage) == (D("98.5"), D("0.015"))


def test_a_book_that_ends_says_how_far_it_goes() -> None:
    assert route(instrument(), BOOK, Side.SELL, D(5)).qty == D(2)
    assert route(instrument(), None, Side.BUY, D(5)).average is None
    one_sided = Depth("bybit", BTC, (), BOOK.asks, 0, 0)
    assert route(instrument(), one_sided, Side.BUY, D(1)).average is None


def test_the_cheapest_whole_fill_comes_first_fee_included() -> None:
    dear = route(instrument("okx", taker_fee=D("0.01")), BOOK, Side.BUY, D(1))
    cheap = route(instrument("bybit"), BOOK, Side.BUY, D(1))
    thin = route(
        instrument("binance"), Depth("", BTC, BOOK.bids, ((100.0, 0.5),), 0, 0), Side.BUY, D(1)
    )
    blind = route(instrument("binance"), None, Side.BUY, D(1))
    assert rank([blind, dear, thin, cheap], Side.BUY) == (cheap, dear, thin, blind)
