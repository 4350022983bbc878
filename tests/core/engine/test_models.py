"""Models on duty in the engine: they come and go by events, and leave by themselves."""

from __future__ import annotations

import itertools
import random
import statistics
from decimal import Decimal

import msgspec
import pytest

from core.clock import SECOND
from core.engine.picture import ShellFacts
from core.model.effect import Effect, ModelDropped, Notify, PredictionScored, RiskEvent, Signalled
from core.model.event import Event, ModelDemoted, ModelRole, Tick, decode, encode
from core.model.learning import LearningView, Record
from core.model.market import Candle, FundingSettled, Ticker
from core.model.order import OrderStatus
from core.risk.codes import Code
from core.signals.duty import Duty
from tests.core.engine.scene import BTC, Scene, config, until
from tests.core.signals.models import HOUR, follower, promotion

SPAN = HOUR * SECOND
CHAMPION, CHALLENGER = ModelRole.CHAMPION, ModelRole.CHALLENGER


class Market(Scene):
    """Hourly candles, whose direction goes on with a certain chance."""

    def __init__(self, **strategy: object) -> None:
        super().__init__(config(strategy={"name": "lightgbm", "timeframe": HOUR, **strategy}))
        self.given: list[Event] = []
        self.open()
        self.now += SPAN - self.now % SPAN
        self.price, self.up = 50_000.0, True
        self.rng = random.Random(7)
        self.codes: list[str] = []

    def give(self, *events: Event) -> list[object]:  # type: ignore[override]
        if hasattr(self, "given"):
            self.given += events
        return super().give(*events)  # type: ignore[return-value]

    def hours(self, count: int, goes_on: float = 0.8) -> None:
        for _ in range(count):
            ts, self.now = self.now, self.now + SPAN
            self.up = self.up if self.rng.random() < goes_on else not self.up
            first = self.price
            self.price *= 1.0 + (0.001 if self.up else -0.001) * self.rng.uniform(0.5, 1.5)
            high, low = max(first, self.price), min(first, self.price)
            self.give(
                self.book(self.price),
                Candle("bybit", BTC, HOUR, first, high, low, self.price, 1.0, ts, self.now),
                Tick(self.now),
            )

    def swept_hour(self) -> None:
        self.hours(1)
        self.give(self.true_sweep())

    @property
    def learning(self) -> LearningView | None:
        return self.engine.snapshot(self.now, ShellFacts("practice", "", 0)).learning


def test_without_a_model_it_waits_and_with_one_it_trades_at_once() -> None:
    market = Market()
    market.hours(200)
    assert not market.of(Signalled)
    assert market.learning is None
    meta, text = follower(5.0)
    market.give(promotion(meta, text, market.now))
    market.hours(30)
    # The features ran all the time: the first candle is judged, no warm-up comes before.
    signals = market.of(Signalled)
    assert len(signals) >= 3
    assert meta.id in signals[0].reason
    assert market.learning is not None
    assert market.learning.champion is not None
    assert market.learning.champion.id == meta.id
    assert market.learning.cause == ""


@pytest.mark.parametrize("beside", [(), ("lead_4", "lead_24")])
def test_a_model_that_comes_later_sees_what_it_would_have_seen(beside: tuple[str, ...]) -> None:
    early, late = Market(), Market()
    meta, text = follower(5.0, beside=beside)
    early.give(promotion(meta, text, early.now))
    for market, first in ((early, 200), (late, 200)):
        market.hours(first)
    late.give(promotion(meta, text, late.now))
    for market in (early, late):
        market.effects.clear()
        market.hours(50)
    scored = [[e.chance for e in m.of(PredictionScored)] for m in (early, late)]
    assert scored[1][-48:] == pytest.approx(scored[0][-48:], rel=1e-9)


def test_a_later_model_does_not_make_the_first_ones_context_forget() -> None:
    market = Market()
    meta, text = follower(5.0, name="first", beside=("funding",))
    market.give(promotion(meta, text, market.now))
    market.hours(180)
    market.give(
        Ticker("bybit", BTC, None, None, None, 1e-4, None, None, None, market.now, market.now)
    )
    market.hours(1)
    after, text = follower(5.0, name="second", beside=("funding", "lead_1"))
    market.give(promotion(after, text, market.now))
    market.effects.clear()
    market.hours(30)
    signals = market.of(Signalled)
    assert len(signals) >= 3
    assert all("second" in signal.reason for signal in signals)
    assert not any("no signal" in signal.reason for signal in signals)


def test_a_later_model_knows_what_the_venue_told_before_it_came() -> None:
    market = Market()
    market.hours(180)
    now, due = market.now, market.now + 8 * SPAN
    market.give(
        Ticker("bybit", BTC, 1.0, market.price, market.price, 1e-4, due, None, None, now, now)
    )
    meta, text = follower(5.0, beside=("funding_due",))
    market.give(promotion(meta, text, now))
    market.hours(7)
    assert market.of(Signalled)
    assert not any("no signal" in signal.reason for signal in market.of(Signalled))


def test_a_later_model_says_at_once_what_it_lacks() -> None:
    """What it would have said of the candles before it came, nobody heard."""
    market = Market()
    market.hours(180)
    meta, text = follower(5.0, beside=("basis",))
    market.give(promotion(meta, text, market.now))
    market.hours(1)
    (signal,) = market.of(Signalled)
    assert "basis not known (not heard of yet)" in signal.reason


def test_outcomes_are_scored_when_they_are_known() -> None:
    market = Market()
    market.hours(170)
    meta, text = follower(5.0, horizon=3)
    market.give(promotion(meta, text, market.now))
    market.hours(100)
    scored = market.of(PredictionScored)
    # The last four are still open: three candles, and the one whose open is the entry.
    assert len(scored) == 96
    candles = {e.ts: e for e in market.given if isinstance(e, Candle)}
    for one in scored:
        ends = [candles[one.ts + k * SPAN].open for k in (1, 4)]
        assert (one.move > 0) == (ends[1] > ends[0])
    view = market.learning
    assert view is not None
    assert view.champion is not None
    right = sum((one.chance > 0.5) == (one.move > 0) for one in scored)
    assert view.champion.live.scored == 96
    assert view.champion.live.hit_rate == right / 96


def test_a_demoted_model_leaves_its_position() -> None:
    market = Market()
    market.hours(170)
    meta, text = follower(5.0)
    market.give(promotion(meta, text, market.now))
    market.hours(20)
    wanted = market.of(Signalled)[-1].target
    assert wanted
    market.effects.clear()
    market.give(ModelDemoted(CHAMPION, "somebody else", "", "me", market.now))
    market.hours(1, 1.0)
    assert market.learning is not None
    assert market.learning.champion is not None
    market.effects.clear()
    market.give(ModelDemoted(CHAMPION, meta.id, "tired of it", "me", market.now))
    assert [e.code for e in market.of(RiskEvent)] == [Code.MODEL_DEMOTED]
    market.hours(1)
    (said,) = market.of(Signalled)
    assert said.target == 0
    assert said.reason.startswith(f"no model: {meta.id} was demoted: tired of it")
    market.hours(30)
    assert len(market.of(Signalled)) == 1


def test_a_model_whose_hit_rate_falls_leaves_by_itself() -> None:
    market = Market()
    market.hours(170)
    meta, text = follower(5.0)
    market.give(promotion(meta, text, market.now))
    market.hours(45 * 24)
    assert not market.of(ModelDropped)
    market.hours(20 * 24, goes_on=0.2)
    (dropped,) = market.of(ModelDropped)
    assert (dropped.role, dropped.id) == ("champion", meta.id)
    assert "hit rate fell from 8" in dropped.cause
    assert market.of(Signalled)[-1].target == 0
    assert market.learning is None


def test_a_model_that_was_never_right_leaves_too() -> None:
    market = Market()
    market.hours(170)
    meta, text = follower(-1.0)
    market.give(promotion(meta, text, market.now))
    market.hours(33 * 24)
    assert "worse than a coin's over 3" in market.of(ModelDropped)[0].cause


def test_the_challenger_is_watched_and_does_not_trade() -> None:
    alone, both = Market(), Market()
    one, other = follower(5.0), follower(-5.0, horizon=2)
    for market in (alone, both):
        market.hours(170)
        market.give(promotion(*one, market.now))
    both.give(promotion(*other, both.now, CHALLENGER))
    for market in (alone, both):
        market.hours(100)
    said = [[(e.ts, e.target) for e in market.of(Signalled)] for market in (alone, both)]
    assert said[0] == said[1]
    roles = {e.role for e in both.of(PredictionScored)}
    assert roles == {"champion", "challenger"}
    assert both.learning is not None
    assert both.learning.challenger is not None
    assert (both.learning.challenger.live.hit_rate or 0) < 0.45
    # It takes over: one model, one duty.
    both.give(promotion(*other, both.now))
    assert both.learning is not None
    assert both.learning.challenger is None
    assert both.learning.champion is not None
    assert both.learning.champion.id == other[0].id


def test_a_challenger_beside_nobody_is_held_against_a_coin() -> None:
    market = Market()
    market.hours(170)
    market.give(promotion(*follower(1.0), market.now, CHALLENGER))
    market.hours(12 * 24)
    assert market.learning is not None
    stands = market.learning.comparison
    assert stands is not None
    assert (stands.alone, stands.favours) == (True, False)  # days are missing
    assert stands.loss is not None
    assert stands.loss.low > 0.0
    assert not market.of(Signalled)
    assert "is watched first" in market.of(Notify)[-1].text


def test_rows_that_left_training_are_said_and_the_model_stays() -> None:
    market = Market()
    market.hours(170)
    meta, text = follower(5.0)
    # In training nearly every candle was small; here none is.
    shares = (0.02, 0.48, 0.48, 0.02)
    reference = {"return_1": msgspec.structs.replace(meta.reference["return_1"], shares=shares)}
    odd = msgspec.structs.replace(meta, reference=reference)
    market.give(promotion(odd, text, market.now))
    market.hours(29 * 24)
    codes = [e.code for e in market.of(RiskEvent)]
    assert codes.count(Code.MODEL_DRIFT) == 1
    assert market.learning is not None
    assert market.learning.champion is not None
    assert market.learning.champion.state == "degraded"
    assert market.learning.champion.detail == "features left training: return_1"
    # What it says is taken half as far from a coin, and judged by that.
    assert market.learning.champion.trust == 0.5
    market.effects.clear()
    market.hours(30)
    halved = [e.chance for e in market.of(PredictionScored)][-20:]
    sure = Market()
    sure.hours(170)
    sure.give(promotion(msgspec.structs.replace(meta, reference={}), text, sure.now))
    sure.hours(29 * 24)
    sure.effects.clear()
    sure.hours(30)
    told = [e.chance for e in sure.of(PredictionScored)][-20:]
    assert halved == pytest.approx([0.5 + (one - 0.5) / 2 for one in told])


def test_probabilities_that_left_training_are_said_and_the_model_stays() -> None:
    usual = Market()
    usual.hours(170)
    meta, text = follower(5.0)
    unwatched = msgspec.structs.replace(meta, reference={})  # in doubt it would say less
    usual.give(promotion(unwatched, text, usual.now))
    usual.hours(25 * 24)
    assert usual.learning is not None
    assert usual.learning.champion is not None
    live = usual.learning.champion.live
    said = [e.chance for e in usual.of(PredictionScored)]
    assert live.said == pytest.approx(statistics.fmean(said), abs=0.01)
    assert live.spread == pytest.approx(statistics.pstdev(said), rel=0.05)
    for mean, spread, strange in (
        (live.said, live.spread, 0),
        (0.5, 0.1, 1),
        (0.9, live.spread, 1),
    ):
        market = Market()
        market.hours(170)
        market.give(promotion(*follower(5.0, said=(mean or 0.0, spread)), market.now))
        market.hours(25 * 24)
        found = [e for e in market.of(RiskEvent) if "probabilities left" in e.detail]
        assert [e.code for e in found] == [Code.MODEL_DRIFT] * strange
        assert not market.of(ModelDropped)
        assert market.learning is not None
        assert market.learning.champion is not None
        assert ("probabilities left" in market.learning.champion.detail) == bool(strange)


def test_what_following_it_earns_is_counted_as_training_plays_it() -> None:
    market = Market()
    market.hours(170)
    cost = 0.0004
    market.give(promotion(*follower(5.0, cost=cost), market.now))
    market.hours(60 * 24)
    found = market.engine.models.record(CHAMPION)
    assert found is not None
    candles = {e.ts: e for e in market.given if isinstance(e, Candle)}
    decided = {e.ts // SPAN * SPAN - SPAN: e.target for e in market.of(Signalled)}
    # Decided at a close, held from the next open to the one after, candle by candle.
    wanted, net, turned = 0, 0.0, 0
    for ts in sorted(candles)[170:-1]:
        before, wanted = wanted, decided.get(ts, wanted)
        if ts + 2 * SPAN in candles:
            net += wanted * (candles[ts + 2 * SPAN].open / candles[ts + SPAN].open - 1.0)
        net -= cost * abs(wanted - before)
        turned += abs(wanted - before)
    earned = [day.earned for day in found[1].days]
    # The last position is still open: its last candle is not counted on either side.
    assert sum(one.net for one in earned) == pytest.approx(net, abs=0.004)
    assert abs(sum(one.turned for one in earned) - turned) <= 2
    assert turned > 100
    assert market.learning is not None
    assert market.learning.champion is not None
    daily = market.learning.champion.live.net
    assert daily is not None
    assert daily.low < daily.mean < daily.high
    assert daily.mean == pytest.approx(sum(one.net for one in earned) / 60, rel=0.1)


def test_what_following_it_earns_pays_funding() -> None:
    market = Market()
    market.hours(170)
    start = market.now
    meta, text = follower(0.2, beside=("funding_day",))  # 30 bp a day: it is always long
    market.give(promotion(meta, text, market.now))
    market.give(
        *(
            FundingSettled("bybit", BTC, 1e-3, start - hours * SPAN, market.now)
            for hours in (16, 8, 0)
        )
    )
    market.hours(20 * 24)
    candles = {e.ts: e for e in market.given if isinstance(e, Candle)}
    found = market.engine.models.record(CHAMPION)
    assert found is not None
    opens = [candles[ts].open for ts in sorted(candles) if ts >= start + SPAN]
    held = sum(after / before - 1.0 for before, after in itertools.pairwise(opens))
    net = sum(day.earned.net for day in found[1].days)
    assert net - held == pytest.approx(-0.003 * 20, abs=0.003)  # a candle more or less


@pytest.mark.parametrize(("slipped", "dear"), [(-0.0005, 0), (0.0005, 1)])
def test_orders_that_pay_more_than_was_assumed_are_said(slipped: float, dear: int) -> None:
    market = Market()
    market.hours(170)
    market.give(promotion(*follower(5.0, cost=0.0004), market.now))
    rng = random.Random(3)
    waiting: list[Effect] = []
    for _ in range(14 * 24):
        market.effects.clear()
        market.hours(1)
        waiting, price = list(market.effects), market.price
        for order in market.orders(waiting):
            worse = slipped * rng.uniform(0.8, 1.2) * (1 if order.side == "buy" else -1)
            market.execute(order, round(price * (1.0 + worse), 2))
        for client_id in market.cancels(waiting):
            known = market.engine.ledger.working.get(client_id)
            if known is not None:
                market.give(market.report_of(known.order, OrderStatus.CANCELLED))
        market.codes += [e.code for e in market.of(RiskEvent)]
        market.give(market.true_sweep())
    assert market.learning is not None
    assert market.learning.champion is not None
    live = market.learning.champion.live
    assert live.slippage == pytest.approx(slipped, rel=0.1)
    assert live.cost == pytest.approx(slipped + 0.00055, abs=5e-5)
    assert market.codes.count(Code.MODEL_COST) == dear
    assert ("orders pay 10." in market.learning.champion.detail) == bool(dear)
    assert Code.MODEL_DEMOTED not in market.codes


def test_the_size_follows_the_probability_up_to_the_limit() -> None:
    found = []
    for kelly in (Decimal("1"), Decimal("0.00001")):
        market = Market(kelly=kelly)
        market.hours(170)
        market.give(promotion(*follower(5.0, cost=0.0001), market.now))
        market.give(market.true_sweep())
        until(lambda market=market: bool(market.orders()), market.swept_hour)
        order = market.orders()[0]
        why = market.engine.why(order.client_id)
        assert why is not None
        assert why.sizing is not None
        assert why.signal is not None
        assert why.signal.edge is not None
        assert why.sizing.kelly is not None
        found.append((order, why.sizing, why.signal.edge))
    (large, limited, _), (small, sized, edge) = found
    limits = market.settings.limits
    most = limits.position_notional * market.settings.strategy.share / len(market.settings.venues)
    assert limited.part == min(most, limits.order_notional)
    # Edge by the variance of the move: volatility a candle over the horizon of one.
    volatility = (edge / sized.kelly) ** 0.5 if sized.kelly else 0.0
    assert 0.0005 < volatility < 0.002
    assert float(sized.part) == pytest.approx(
        sized.kelly * 0.00001 / len(market.settings.venues), rel=1e-3
    )
    assert 0 < small.qty < large.qty


def test_a_restart_forgets_nothing() -> None:
    market = Market()
    market.hours(170)
    meta, text = follower(5.0)
    market.give(promotion(meta, text, market.now))
    market.hours(48)
    found = market.engine.models.record(CHAMPION)
    assert found is not None
    record = msgspec.json.decode(msgspec.json.encode(found[1]), type=Record)
    assert record == found[1]
    again = Market()
    again.hours(170)
    again.give(promotion(meta, text, again.now, live=record))
    assert again.learning is not None
    assert again.learning.champion is not None
    assert again.learning.champion.live.scored == 46
    assert [day.day for day in record.days] == sorted({day.day for day in record.days})
    again.hours(24)
    found = again.engine.models.record(CHAMPION)
    assert found is not None
    (seen,) = found[1].seen
    assert (seen.day, seen.rows) == (record.seen[0].day, record.seen[0].rows + 24)


def test_a_model_that_does_not_fit_is_refused_and_the_old_one_stays() -> None:
    market = Market()
    market.hours(170)
    good, text = follower(5.0)
    market.give(promotion(good, text, market.now))
    other, words = follower(3.0)
    market.give(promotion(other, words + " ", market.now))
    assert "is not the file that was stored" in market.of(Notify)[-1].text
    assert market.learning is not None
    assert market.learning.champion is not None
    assert market.learning.champion.id == good.id


def test_a_replay_needs_no_registry() -> None:
    market = Market()
    market.hours(170)
    market.give(promotion(*follower(5.0), market.now))
    market.give(promotion(*follower(4.0, 2), market.now, CHALLENGER))
    market.hours(45 * 24)
    market.hours(15 * 24, goes_on=0.2)
    assert market.of(ModelDropped)
    again = Scene(market.settings)
    events = [decode(encode(event)) for event in market.given]
    assert isinstance(events[-1], Tick)
    for event in events:
        again.engine.process(event)
    assert again.engine.decision_hash == market.engine.decision_hash


def test_an_ensemble_has_a_say_of_the_model() -> None:
    market = Market(name="ensemble", weights={"lightgbm": 3.0, "ema_cross": 1.0})
    market.hours(170)
    market.effects.clear()
    market.give(promotion(*follower(5.0), market.now))
    market.hours(30)
    assert any(dict(e.parts).get("lightgbm") for e in market.of(Signalled))


def test_a_model_brings_the_context_it_needs() -> None:
    market = Market()
    market.hours(170)
    slot = market.engine._world.slots["bybit", BTC]
    assert slot.context is None
    more = ("lead_1", "lead_4", "lead_24")
    market.give(promotion(*follower(5.0, beside=more), market.now))
    assert slot.context is not None
    assert slot.context.names == more
    market.hours(30)
    assert len(market.of(PredictionScored)) == 28
    market.give(promotion(*follower(5.0, horizon=2, beside=more[1:]), market.now, CHALLENGER))
    assert slot.context.names == more
    market.hours(5)
    # One that needs the same finds it there, as new as it is.
    market.give(promotion(*follower(6.0, beside=more), market.now))
    duty = slot.strategy
    assert isinstance(duty, Duty)
    assert [one.context.names for one in duty._models.values()] == [more[1:], more]
    market.give(promotion(*follower(4.0), market.now))
    assert slot.context.names == more[1:]
    market.hours(5)
    market.give(ModelDemoted(CHALLENGER, follower(5.0, 2)[0].id, "", "me", market.now))
    assert slot.context is None
    assert not [e for e in market.of(RiskEvent) if e.code is Code.STRATEGY_FAILED]
