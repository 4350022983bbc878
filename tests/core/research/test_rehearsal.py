"""What the engine makes of a forecast, against the same forecast played on columns."""

from __future__ import annotations

from decimal import Decimal
from math import log1p
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from core.config import Config, Limits, Strategy
from core.research.candles import CandleFile
from core.research.panel import Around, Panel, Plan, make_panels
from core.research.rehearsal import Rehearsal, rehearse
from core.research.synthetic import plant_edge
from core.research.training import Forecast, forecast
from core.research.trial import score_trial

PLAN = Plan(3600, 4, 1200, 400, 0.0005)
WIDE = Limits(
    position_notional=Decimal("0.1"), order_notional=Decimal("0.1"), loss_to_stop=Decimal(1),
    daily_loss=Decimal(1), drawdown=Decimal(1), loss_streak=100,
)  # fmt: skip
Walked = tuple[list[CandleFile], Panel, Forecast]


@pytest.fixture(scope="module")
def walked() -> Walked:
    files = plant_edge(0.25, 4_000, 2, 3600, 1)
    (panel,) = make_panels(files, [PLAN])
    return files, panel, forecast("linear", panel, PLAN)


def trade(walked: Walked, said: Forecast | None = None, **strategy: Any) -> Rehearsal:
    files, panel, walk = walked
    settings = {"share": Decimal(1), "stop_distance": Decimal("0.99"), "kelly": Decimal(1)}
    trading = Config(limits=WIDE, strategy=Strategy(**(settings | strategy)))
    return rehearse(files, Around(), panel, PLAN, said or walk, trading)


def test_without_stops_it_trades_what_the_columns_say(walked: Walked) -> None:
    _, panel, said = walked
    played = score_trial("linear", panel, PLAN, said)
    traded = trade(walked)
    assert (traded.stops, traded.refused, traded.halted) == (0, 0, "")
    assert traded.earns
    # A tenth of equity on each of two symbols, which compounds; there half of it, which does not.
    assert log1p(traded.gain) == pytest.approx(0.2 * sum(played.daily), rel=0.03)
    assert played.sharpe is not None
    assert traded.sharpe == pytest.approx(played.sharpe, rel=0.05)


def test_a_stop_too_near_costs_the_edge(walked: Walked) -> None:
    near = trade(walked, stop_distance=Decimal("0.002"))
    assert near.stops > 0.8 * near.trades
    assert near.gain < 0.5 * trade(walked).gain


def test_near_the_threshold_kelly_makes_positions_small(walked: Walked) -> None:
    assert trade(walked, kelly=Decimal("0.001")).gain < 0.2 * trade(walked).gain


def test_funding_is_paid(walked: Walked) -> None:
    files, panel, _ = walked
    step = 8 * 3_600_000
    settled = tuple((int(ts), 0.001) for ts in panel.times - panel.times % step)[::8]
    around = Around(funding={("", file.symbol): settled for file in files})
    always = replace(walked[2], chance=np.where(np.isfinite(walked[2].chance), 0.9, np.nan))
    trading = Config(limits=WIDE, strategy=Strategy(stop_distance=Decimal("0.99")))
    free, dear = (rehearse(files, one, panel, PLAN, always, trading) for one in (Around(), around))
    assert dear.gain < free.gain - 0.05


def test_a_loss_limit_that_ends_it_is_said_and_refuses_the_model(walked: Walked) -> None:
    files, panel, said = walked
    wrong = replace(said, chance=1.0 - said.chance, rise=1.0 - said.fall, fall=1.0 - said.rise)
    trading = Config(limits=WIDE.model_copy(update={"drawdown": Decimal("0.02")}))
    lost = rehearse(files, Around(), panel, PLAN, wrong, trading)
    assert "drawdown" in lost.halted.lower()
    assert lost.gain < -0.01
    assert not lost.earns


def test_candles_of_one_symbol_that_name_no_venue_are_both_traded(walked: Walked) -> None:
    files, *_ = walked
    twins = [files[0], replace(files[1], symbol=files[0].symbol)]
    (panel,) = make_panels(twins, [PLAN])
    said = forecast("linear", panel, PLAN)
    trading = Config(limits=WIDE)
    both = rehearse(twins, Around(), panel, PLAN, said, trading)
    one = replace(said, chance=np.where(panel.who == 0, said.chance, np.nan))
    assert both.trades > 1.5 * rehearse(twins, Around(), panel, PLAN, one, trading).trades
