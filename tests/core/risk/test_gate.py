"""Each limit refuses by itself, at its boundary, with its numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import Limits
from core.model.event import TradingState, VenueState
from core.model.instrument import Instrument
from core.model.market import Side
from core.model.order import Order, OrderKind
from core.risk.codes import MEANING, Code, table
from core.risk.gate import Approved, Circumstances, Gate, Refused
from core.risk.portfolio import Cluster, Tail

D = Decimal
RULES = Instrument(
    "okx",
    "BTC/USDT:USDT",
    "BTC-USDT-SWAP",
    "BTC",
    D("0.1"),
    D("0.001"),
    D("0.002"),
    D(100),
    max_market_qty=D(1000),
)
CALM = Circumstances(
    state=TradingState.ARMED,
    venue_state=VenueState.READY,
    venue_reason="",
    rejects=0,
    paused=False,
    frozen="",
    cooling=0.0,
    bad_news=0.0,
    bad_market=0.0,
    age=0.5,
    skew=0.0,
    lag=0.0,
    unguarded="",
    mid=D(50_000),
    mark=D(50_000),
    equity=D(100_000),
    symbol_after=D(2000),
    venue_after=D(2000),
    gross_after=D(2000),
    working=0,
    second_full=False,
    minute_full=False,
    minute_after=2000.0,
    stop=D(49_000),
)


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {"qty": D("0.04"), "kind": OrderKind.MARKET} | changes
    return Order("K1", "okx", RULES.symbol, values.pop("side", Side.BUY), created=1, **values)


def judge(given: Order | None = None, **changes: Any) -> Approved | Refused:
    return Gate(Limits()).open(given or order(), RULES, msgspec.structs.replace(CALM, **changes))


def test_the_calm_case_passes_at_every_boundary() -> None:
    assert isinstance(judge(), Approved)
    assert isinstance(
        judge(
            rejects=7,
            age=5.0,
            skew=-0.75,
            mark=D(50_000) / D("1.03"),
            venue_after=D(100_000),
            gross_after=D(200_000),
            working=118,
            minute_after=200_000.0,
            stop=D(37_500),
        ),
        Approved,
    )


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (Code.NOT_ARMED, {"state": TradingState.DISARMED}),
        (Code.HALTED, {"state": TradingState.HALTED}),
        (Code.REDUCING, {"state": TradingState.REDUCING}),
        (Code.REJECTS_IN_A_ROW, {"rejects": 8}),
        (Code.VENUE_NOT_READY, {"venue_state": VenueState.DEGRADED}),
        (Code.SYMBOL_PAUSED, {"paused": True}),
        (Code.SYMBOL_FROZEN, {"frozen": "unknown"}),
        (Code.COOLING_DOWN, {"cooling": 0.1}),
        (Code.BAD_NEWS, {"bad_news": 0.1}),
        (Code.BAD_MARKET_NEWS, {"bad_market": 0.1}),
        (Code.STALE_DATA, {"age": 5.01}),
        (Code.STALE_DATA, {"mid": D(0)}),
        (Code.CLOCK_SKEW, {"skew": 0.76}),
        (Code.CLOCK_SKEW, {"skew": -0.76}),
        (Code.LOOP_LAG, {"lag": 0.26}),
        (Code.UNGUARDED, {"unguarded": "nobody"}),
        (Code.PRICE_COLLAR, {"mark": D(48_000)}),
        (Code.BAD_STOP, {"stop": D(50_000)}),
        (Code.ORDER_NOTIONAL, {"equity": D(99_999)}),
        (Code.POSITION_NOTIONAL, {"symbol_after": D("2000.01")}),
        (Code.LOSS_TO_STOP, {"stop": D(37_499)}),
        (Code.VENUE_NOTIONAL, {"venue_after": D("100000.01")}),
        (Code.LEVERAGE, {"gross_after": D("200000.01")}),
        (Code.OPEN_ORDERS, {"working": 119}),
        (Code.ORDERS_PER_SECOND, {"second_full": True}),
        (Code.ORDERS_PER_MINUTE, {"minute_full": True}),
        (Code.NOTIONAL_PER_MINUTE, {"minute_after": 200_000.5}),
    ],
)
def test_each_limit_refuses(code: Code, changes: dict[str, Any]) -> None:
    refused = judge(**changes)
    assert isinstance(refused, Refused)
    assert refused.code is code


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (Code.BAD_QUANTITY, {"qty": D("0.0005")}),
        (Code.BAD_QUANTITY, {"qty": D(0)}),
        (Code.BAD_QUANTITY, {"qty": D(1001)}),
        (Code.BELOW_MINIMUM, {"qty": D("0.001")}),
        (Code.BAD_PRICE, {"kind": OrderKind.LIMIT}),
        (Code.PRICE_COLLAR, {"kind": OrderKind.LIMIT, "price": D(51_501)}),
        (Code.PRICE_COLLAR, {"kind": OrderKind.LIMIT, "price": D(48_499)}),
        (Code.BAD_STOP, {"side": Side.SELL}),
    ],
)
def test_orders_of_bad_shape(code: Code, changes: dict[str, Any]) -> None:
    refused = judge(order(**changes))
    assert isinstance(refused, Refused)
    assert refused.code is code


def test_the_smallest_notional_is_the_venues() -> None:
    refused = judge(order(qty=D("0.002")), mid=D(49_000), mark=D(49_000), stop=D(48_000))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.limit, refused.value) == (Code.BELOW_MINIMUM, "100", "98.00")


@pytest.mark.parametrize(
    ("limit", "value", "detail", "told"),
    [
        ("5.00", "9.00", "9.00 USDT, limit 5.00", "9.00 USDT, limit 5.00"),
        ("120", "121", "working orders", "working orders (limit 120, value 121)"),
        ("", "", "no position there", "no position there"),
        ("armed", "reducing", "the desk is reducing", "the desk is reducing"),
        ("ready", "blind", "no answer", "no answer"),
        ("lot 0.001", "0.0005", "not a multiple", "not a multiple (limit lot 0.001, value 0.0005)"),
    ],
)
def test_a_person_reads_each_number_once(limit: str, value: str, detail: str, told: str) -> None:
    assert Refused(Code.OPEN_ORDERS, limit, value, detail).told == told


def test_refusals_carry_numbers() -> None:
    refused = judge(symbol_after=D("2345.678"))
    assert isinstance(refused, Refused)
    assert (refused.limit, refused.value) == ("2000.00", "2345.68")


@pytest.mark.parametrize("state", list(TradingState))
def test_reducing_is_never_vetoed(state: TradingState) -> None:
    gate = Gate(Limits())
    for held, side in ((D("0.5"), Side.SELL), (D("-0.5"), Side.BUY)):
        for qty in (D("0.001"), D("0.5")):
            reducing = order(qty=qty, side=side, reduce_only=True)
            assert isinstance(gate.reduce(reducing, held), Approved)


@pytest.mark.parametrize(
    ("held", "changes"),
    [
        (D(0), {"reduce_only": True}),
        (D("0.5"), {"reduce_only": True}),
        (D("-0.03"), {"reduce_only": True}),
        (D("-0.5"), {"reduce_only": False}),
    ],
)
def test_what_does_not_reduce_is_not_called_reducing(
    held: Decimal, changes: dict[str, Any]
) -> None:
    refused = Gate(Limits()).reduce(order(**changes), held)
    assert isinstance(refused, Refused)
    assert refused.code is Code.NOT_REDUCING


def test_every_code_is_in_the_table_with_an_existing_limit() -> None:
    text = table()
    for code in Code:
        assert f"`{code}`" in text
        limit, meaning = MEANING[code]
        assert meaning.endswith(".")
        assert not limit or limit.removesuffix("_cooldown") in Limits.model_fields


def test_explaining_names_every_check_and_refusing_the_first_that_fails() -> None:
    calm = Gate(Limits()).explain(order(), RULES, CALM)
    assert all(check.passed for check in calm)
    broken = msgspec.structs.replace(CALM, paused=True, working=500, symbol_after=D(9000))
    checks = Gate(Limits()).explain(order(), RULES, broken)
    assert [check.code for check in checks] == [check.code for check in calm]
    failed = [check for check in checks if not check.passed]
    assert [check.code for check in failed] == ["SYMBOL_PAUSED", "POSITION_NOTIONAL", "OPEN_ORDERS"]
    assert (failed[1].limit, failed[1].value) == ("2000.00", "9000.00")
    verdict = Gate(Limits()).open(order(), RULES, broken)
    assert isinstance(verdict, Refused)
    assert verdict.code == failed[0].code


def test_the_bad_days_of_the_book_refuse_and_tell() -> None:
    tail, cluster = Tail(1900.0, 2900.0), Cluster(("BTC", "ETH"), 19_000.0)
    calm = msgspec.structs.replace(CALM, tail_after=tail, cluster_after=cluster)
    gate = Gate(Limits())
    assert type(gate.open(order(), RULES, calm)) is Approved
    for change, code in (
        ({"tail_after": Tail(2000.01, 2900.0)}, Code.VALUE_AT_RISK),
        ({"tail_after": Tail(1900.0, 3000.01)}, Code.EXPECTED_SHORTFALL),
        ({"cluster_after": Cluster(("BTC",), 20_000.01)}, Code.CORRELATED_NOTIONAL),
    ):
        refused = gate.open(order(), RULES, msgspec.structs.replace(calm, **change))
        assert isinstance(refused, Refused)
        assert refused.code is code
    told = {check.code: check for check in gate.explain(order(), RULES, calm)}
    found = told[Code.VALUE_AT_RISK]
    assert (found.value, found.limit) == ("1900.00", "2000.00")


# Below, at and beyond what each check allows.
AROUND: dict[str, tuple[Any, ...]] = {
    "state": tuple(TradingState),
    "venue_state": tuple(VenueState),
    "rejects": (0, 7, 8, 9),
    "paused": (False, True),
    "frozen": ("", "unknown"),
    "cooling": (0.0, 1e-9),
    "bad_news": (0.0, 1e-9),
    "bad_market": (0.0, 1e-9),
    "age": (0.0, 5.0, 5.000001, float("inf")),
    "skew": (-0.76, -0.75, 0.75, 0.76),
    "lag": (0.25, 0.26),
    "unguarded": ("", "nobody"),
    "mid": (D(0), D(1), D(49_000), D("50000.1"), D(52_000)),
    "mark": (D(0), D(48_500), D(50_000) / D("1.03"), D(48_543), D(51_547)),
    "equity": (D(-1), D(0), D(99_999), D("99999.99"), D(100_001)),
    "symbol_after": (D("1999.99"), D("2000.01"), D(500)),
    "venue_after": (D(100_000), D("100000.01")),
    "gross_after": (D(200_000), D("200000.01")),
    "working": (117, 118, 119),
    "second_full": (False, True),
    "minute_full": (False, True),
    "minute_after": (200_000.0, 200_000.1),
    "stop": (D(37_499), D(37_500), D(50_000), D(50_001), D(62_500), D(62_501)),
    "tail_after": (None, Tail(2000.0, 3000.0), Tail(2000.1, 0.0), Tail(0.0, 3000.1)),
    "cluster_after": (None, Cluster(("BTC",), 20_000.0), Cluster(("BTC",), 20_000.1)),
}
ORDERS = {
    "qty": (D(0), D("0.001"), D("0.002"), D("0.0404"), D("0.04"), D("0.041"), D(1000), D(1001)),
    "kind": (OrderKind.MARKET, OrderKind.LIMIT),
    "price": (None, D(0), D(49_000), D(51_501)),
    "side": tuple(Side),
}


def changes(values: dict[str, tuple[Any, ...]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    one = st.sampled_from([(name, value) for name, each in values.items() for value in each])
    return st.lists(one, max_size=most).map(dict)


@given(changes(AROUND, 4), changes(ORDERS, 2), st.booleans())
def test_what_is_approved_is_what_passes_every_check(
    world: dict[str, Any], shape: dict[str, Any], limited: bool
) -> None:
    rules = RULES if limited else msgspec.structs.replace(RULES, max_market_qty=None)
    seen = msgspec.structs.replace(CALM, **world)
    given, gate = order(**shape), Gate(Limits())
    passed = all(check.passed for check in gate.explain(given, rules, seen))
    assert isinstance(gate.open(given, rules, seen), Approved) is passed
