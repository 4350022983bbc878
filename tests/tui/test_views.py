"""The views are pure: tables of a fixed picture, no Textual."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from core.model.event import FeedState, KillMode, Submit, TradingState, VenueState
from core.model.market import Side
from core.model.news import NewsOpinion, NewsPart, NewsReading
from core.model.order import OrderStatus
from core.model.snapshot import (
    DepthView,
    FeedView,
    GuardView,
    HeldView,
    LimitView,
    LogView,
    SignalView,
)
from core.model.whatif import CheckView, RouteView
from core.model.why import Factor
from tests.tui import pictures
from tui import numbers
from tui.views import (
    activity,
    chart,
    depth,
    markets,
    orders,
    positions,
    risk,
    signals,
    ticket,
    venues,
)
from tui.views import news as news_view
from tui.views.banner import Pull, view_banner
from tui.views.focus import Focus
from tui.views.footer import view_footer
from tui.views.story import view_story
from tui.views.strip import Link, view_strip
from tui.views.table import Column, Line, Row, fit
from tui.views.why import view_why

UP = Link(up=True, quiet_s=0.1)


def text(line: Line) -> str:
    return "".join(cell.text for cell in line)


def named(row: Row, columns: Any) -> dict[str, str]:
    return {c.name: cell.text for c, cell in zip(columns, row.cells, strict=True)}


def test_columns_are_taken_by_level_all_of_a_level_or_none() -> None:
    columns = (Column("a", 5, 0), Column("b", 5, 2), Column("c", 10, 1, grow=1), Column("d", 3, 2))
    assert [p.column.name for p in fit(columns, 17)] == ["a", "c"]
    assert [p.column.name for p in fit(columns, 29)] == ["a", "b", "c", "d"]
    assert [p.column.name for p in fit(columns, 28)] == ["a", "c"]
    # What is left over goes to the columns that grow.
    assert {p.column.name: p.width for p in fit(columns, 40)} == {"a": 5, "b": 5, "c": 21, "d": 3}
    # A screen too narrow for anything still shows the first level.
    assert [p.column.name for p in fit(columns, 2)] == ["a"]


def test_a_later_narrow_level_is_taken_when_a_wide_one_does_not_fit() -> None:
    columns = (Column("a", 5, 0), Column("wide", 50, 1), Column("slim", 3, 2))
    assert [p.column.name for p in fit(columns, 20)] == ["a", "slim"]


def test_markets_put_all_venues_of_a_symbol_on_one_row() -> None:
    picture = pictures.busy(
        markets=(
            pictures.market("BTC", 0, bid=100.0, ask=100.2, last=100.1, tick=Decimal("0.1")),
            pictures.market("BTC", 2, bid=100.1, ask=100.3, last=100.2, tick=Decimal("0.1")),
        )
    )
    (row,) = markets.view_markets(picture)
    cells = [cell.text for cell in row.cells]
    assert cells[:5] == ["BTC", "100.1▼", "100.0", "100.2", "20.0"]
    assert cells[5:9] == ["-", "-", "-", "-"]  # binance does not list it
    best_bid, best_ask, spread = cells[13:16]
    assert (best_bid, best_ask, spread) == ("100.1", "100.2", "10.0")
    assert len(row.cells) == len(markets.market_columns(markets.shown_venues(picture)))


def test_a_stale_price_is_marked_and_leaves_the_best_prices() -> None:
    fresh = pictures.market("BTC", 0, bid=100.0, ask=101.0, last=100.5, tick=Decimal("0.1"))
    stale = pictures.market(
        "BTC", 1, bid=105.0, ask=99.0, last=102.0, tick=Decimal("0.1"), age_ms=9000.0
    )
    (row,) = markets.view_markets(pictures.busy(markets=(fresh, stale)))
    cells = [cell.text for cell in row.cells]
    assert cells[5] == "~102.0"
    assert cells[13:15] == ["100.0", "101.0"]


def test_a_paused_symbol_says_so_without_colour() -> None:
    picture = pictures.busy(markets=(pictures.market("BTC", 0, paused=True),))
    assert markets.view_markets(picture)[0].cells[0].text == "BTC ‖"
    assert "1 paused" in markets.note_markets(picture)


def test_signals_stand_newest_first_with_what_came_of_them() -> None:
    old = SignalView(
        "bybit",
        pictures.symbol("BTC"),
        "ema_cross",
        1,
        0.5,
        "up",
        pictures.NOW - 9_000_000_000,
        "A" * 18 + "000042",
    )
    new = SignalView(
        "okx", pictures.symbol("ETH"), "ema_cross", -1, -0.5, "down", pictures.NOW, "DAILY_LOSS"
    )
    picture = pictures.busy(signals=(old, new))
    rows = signals.view_signals(picture)
    first, second = (named(row, signals.signal_columns(picture)) for row in rows)
    assert (first["symbol"], first["wants"], first["came of it"]) == (
        "ETH",
        "▼ short",
        "DAILY_LOSS",
    )
    assert (second["wants"], second["came of it"], second["age"]) == (
        "▲ long",
        "order …000042",
        "9.0s",
    )


def test_without_a_strategy_signals_are_given_by_hand() -> None:
    assert signals.note_signals(pictures.busy(strategy="manual")) == "by hand"
    assert signals.note_signals(pictures.busy(strategy="ema_cross")).startswith("ema_cross on")


def test_a_position_shows_what_protects_it() -> None:
    bare = pictures.position("BTC", 0, "0.5", stop=None, unrealised=Decimal("-51.2"))
    (row,) = positions.view_positions(pictures.busy(positions=(bare,)))
    cells = named(row, positions.COLUMNS)
    assert cells["stop"] == positions.UNPROTECTED
    assert (cells["side"], cells["P&L"], cells["R"]) == ("▲ long", "-51.20", "-2.00")
    assert cells["to liq."] == "48.9%"


def test_unknown_orders_stand_on_top_then_working_then_done() -> None:
    rows = orders.view_orders(pictures.busy())
    states = [named(row, orders.COLUMNS)["state"] for row in rows]
    assert states[0] == "UNKNOWN"
    done = {status.value for status in OrderStatus if status.terminal}
    first_done = next(i for i, state in enumerate(states) if state in done)
    assert all(state in done for state in states[first_done:])
    assert "1 UNKNOWN" in orders.note_orders(pictures.busy())


def test_foreign_orders_are_named() -> None:
    rows = [named(row, orders.COLUMNS) for row in orders.view_orders(pictures.busy())]
    assert [row["by"] for row in rows if row["id"] == "web_1"] == ["foreign"]


def test_broken_limits_come_first_and_say_so() -> None:
    broken = LimitView("DAILY_LOSS", "daily loss", 0.031, 0.03, "fraction", True, "")
    rows = risk.view_risk(pictures.busy(limits=(*pictures.limits(), broken)))
    cells = [cell.text for cell in rows[0].cells]
    assert cells[:3] == ["! daily loss", "3.10%", "3.00%"]
    assert cells[3].strip() == "BROKEN"
    assert rows[1].cells[0].text == "losses in a row"  # 4 of 5: near
    assert risk.note_risk(pictures.busy(limits=(broken,))) == "1 BROKEN"
    gone = replace(pictures.busy(limits=(broken,)), guard=GuardView("gone", ""))
    assert risk.note_risk(gone) == "1 BROKEN, NO GUARD"
    watched = replace(gone, guard=GuardView("watching", ""))
    assert risk.note_risk(watched) == "1 BROKEN"


def test_a_position_of_the_size_that_is_meant_is_not_near_its_limit() -> None:
    full = LimitView("POSITION_NOTIONAL", "largest position", 4_801.0, 5_999.0, "quote", False, "")
    losses = LimitView("LOSS_STREAK", "losses in a row", 4.0, 5.0, "count", False, "")
    assert risk.note_risk(pictures.busy(limits=(full,))) == "all within limits"
    rows = risk.view_risk(pictures.busy(limits=(full, losses)))
    assert [row.cells[0].text for row in rows] == ["losses in a row", "largest position"]
    assert rows[1].cells[3].tone == "dim"
    assert risk.note_risk(pictures.busy(limits=(full, losses))) == "1 near the limit"
    fuller = replace(full, value=5_400.0)
    assert risk.note_risk(pictures.busy(limits=(fuller,))) == "1 near the limit"


def test_times_under_a_second_are_told_in_milliseconds() -> None:
    skew = LimitView("CLOCK_SKEW", "clock skew", 0.003, 0.75, "seconds", False, "okx")
    (row,) = risk.view_risk(pictures.busy(limits=(skew,)))
    assert [cell.text for cell in row.cells[1:3]] == ["3 ms", "750 ms"]


def test_a_limit_of_nothing_is_used_up_by_anything() -> None:
    assert risk.used(LimitView("X", "x", 1.0, 0.0, "count", False, "")) == 1.0
    assert risk.used(LimitView("X", "x", 0.0, 0.0, "count", False, "")) == 0.0


def test_feeds_show_their_age_or_that_they_are_gone() -> None:
    feeds = (
        FeedView("trades", FeedState.UP, 40.0),
        FeedView("books", FeedState.STALE, 7200.0),
        FeedView("tickers", FeedState.DOWN, None),
    )
    picture = pictures.busy(venues=(pictures.venue(0, feeds=feeds, state=VenueState.DEGRADED),))
    cells = named(venues.view_venues(picture)[0], venues.COLUMNS)
    assert [cells[c] for c in venues.CHANNELS] == ["40ms", "! 7.2s", "down", "-"]
    assert cells["state"] == "◐ degraded"


def test_the_log_is_newest_first_and_loud_lines_have_marks() -> None:
    log = (
        LogView(1, pictures.NOW, "info", "fill", "a"),
        LogView(2, pictures.NOW, "alarm", "risk", "b"),
    )
    rows = activity.view_log(pictures.busy(log=log))
    assert [row.cells[2].text for row in rows] == ["!! b", "a"]


def test_hostile_text_is_cleaned_in_every_pane() -> None:
    evil = "\x1b]0;x\x07\x1b[31m\u202eevil"
    picture = pictures.busy(
        signals=(SignalView(evil, evil, evil, 1, 0.1, evil, pictures.NOW, evil),),
        positions=(pictures.position("BTC", 0, "1", venue=evil, strategy=evil),),
        orders=(
            pictures.order(
                1,
                "BTC",
                0,
                OrderStatus.OPEN,
                reason=evil,
                client_id=evil,
                strategy=evil,
                venue=evil,
            ),
        ),
        log=(LogView(1, 0, evil, evil, evil),),
        venues=(pictures.venue(0, reason=evil, account=evil, venue=evil),),
        limits=(LimitView(evil, evil, 1.0, 2.0, evil, False, evil),),
        market=evil,
        cause=evil,
        environment=evil,
        strategy=evil,
        state=TradingState.HALTED,
        fills=tuple(replace(f, venue=evil, strategy=evil) for f in pictures.busy().fills[:1]),
        news=pictures.evil_news(),
    )
    assert picture.news is not None
    rows = [
        *markets.view_markets(picture),
        *signals.view_signals(picture),
        *positions.view_positions(picture),
        *orders.view_orders(picture),
        *activity.view_log(picture),
        *activity.view_fills(picture),
        *risk.view_risk(picture),
        *venues.view_venues(picture),
        *news_view.view_news(picture),
        *news_view.view_sources(picture),
    ]
    shown = [cell.text for row in rows for cell in row.cells]
    shown += [text(line) for line in view_strip(picture, UP, 300)]
    shown += [text(line) for line in view_banner(picture, None, 0.0)]
    for story in picture.news.stories:
        shown += [text(line) for line in view_story(story, picture)]
    shown += [f(picture) for f in (signals.note_signals, markets.note_markets, risk.note_risk)]
    shown += [news_view.note_news(picture), news_view.note_sources(picture)]
    assert not [s for s in shown if any(ord(c) < 32 or c in "\u202e\x7f" for c in s)]
    assert any("evil" in s for s in shown)


def test_the_strip_keeps_what_matters_at_80_columns() -> None:
    money, health = (text(line) for line in view_strip(pictures.busy(), UP, 80))
    for word in ("PRACTICE", "ARMED", "equity 299,871.14", "day -128.86", "1 UNKNOWN"):
        assert word in money
    for word in ("bybit", "binance", "okx", "synthetic"):
        assert word in health
    assert max(len(money), len(health)) <= 80


def test_the_strip_says_when_what_it_shows_is_old() -> None:
    lost = Link(up=False, quiet_s=4.2, error="broke")
    money, health = (text(line) for line in view_strip(pictures.busy(), lost, 80))
    assert "PRACTICE" in money
    assert "NO DESK" in health
    assert "4.2s" in health
    died = text(view_strip(pictures.busy(), lost._replace(died="killed by SIGKILL"), 80)[1])
    assert died == " DESK DIED   killed by SIGKILL; stops stay at the venues. ^q, then killcord"
    assert "NO DESK" in text(view_strip(None, lost, 80)[0])
    assert "connecting" in text(view_strip(None, Link(False, 0.0), 80)[0])


def test_a_live_desk_is_painted_as_an_alarm() -> None:
    (environment, *_), _ = view_strip(pictures.busy(environment="live"), UP, 80)
    assert environment == (" LIVE ", "alarm")


def test_the_banner_goes_from_sent_to_halted_to_verdicts() -> None:
    pull = Pull(KillMode.CANCEL, at=10.0)
    assert view_banner(pictures.busy(), None, 10.0) == ()
    assert "HALT SENT" in text(view_banner(pictures.busy(), pull, 10.2)[0])
    lines = [text(line) for line in view_banner(pictures.halted(), pull, 10.5)]
    assert "HALTED" in lines[0]
    assert "^f flattens 6 positions" in lines[0]
    assert "✓ CANCELLED_ONLY  12 cancelled  0 closed  0.31 s" in lines[1]
    assert "! INCOMPLETE" in lines[2]
    assert "2 orders still open" in lines[2]
    assert "… working  3 cancelled  0 closed  0.50 s" in lines[3]


def test_the_banner_offers_the_flatten_key_only_within_its_window() -> None:
    pull = Pull(KillMode.CANCEL, at=10.0, delivered=True)
    assert "^f flattens" in text(view_banner(pictures.halted(), pull, 14.9)[0])
    assert "^f flattens" not in text(view_banner(pictures.halted(), pull, 15.1)[0])


def test_a_kill_that_did_not_arrive_stays_loud() -> None:
    pull = Pull(KillMode.CANCEL, at=10.0, error="no desk answers")
    line = text(view_banner(None, pull, 500.0)[0])
    assert "HALT NOT DELIVERED" in line
    assert "killcord kill" in line


def test_the_footer_always_has_room_for_help_and_quit() -> None:
    from tui.keymap import KEYS

    shown = text(view_footer([key for key in KEYS if key.footer], 60).line)
    assert len(shown) <= 60
    assert "F12 KILL" in shown
    assert "? help" in shown
    assert "^q quit" in shown


def test_views_and_client_do_not_import_textual() -> None:
    code = (
        "import sys, tui.commands, tui.text, tui.numbers, tui.keymap;"
        "from tui.views import activity, banner, footer, markets, orders, positions, risk, signals,"
        " strip, ticket, venues;"
        "bad = {'textual', 'rich', 'aiohttp', 'pydantic'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- depth and chart ------------------------------------------------------------------------------

BTC = pictures.symbol("BTC")
WATCH = pictures.watch("bybit", BTC, 60)
FOCUS = Focus(BTC, watch=WATCH)


def test_the_ladder_adds_up_venues_and_has_the_best_prices_in_the_middle() -> None:
    books = (
        DepthView("bybit", BTC, ((100.0, 1.0), (99.9, 2.0)), ((100.1, 1.0), (100.2, 4.0))),
        DepthView("okx", BTC, ((99.97, 3.0),), ((100.13, 5.0),)),
    )
    picture = pictures.busy(
        markets=(
            pictures.market("BTC", 0, tick=Decimal("0.1")),
            pictures.market("BTC", 2, tick=Decimal("0.01")),
        ),
        orders=(
            pictures.order(2, "BTC", 0, OrderStatus.OPEN, price=Decimal("99.9")),
            pictures.order(4, "BTC", 2, OrderStatus.FILLED, price=Decimal("100.0")),
        ),
    )
    focus = Focus(BTC, watch=replace(WATCH, depths=books))
    rows = depth.view_depth(picture, focus, 5, 8)
    shown = [[cell.text for cell in row.cells] for row in rows]
    # 99.97 counts at 99.9 and 100.13 at 100.2: never better than it is.
    assert [(r[1], r[2], r[3], r[5]) for r in shown if r[4] != "spread"] == [
        ("100.2", "9.000", "10.00", "by ok"),
        ("100.1", "1.000", "1.000", "by"),
        ("100.0", "1.000", "1.000", "by"),
        ("99.9", "5.000", "6.000", "by ok"),
    ]
    assert [row[4] for row in shown][2] == "spread"
    assert [row[0] for row in shown] == ["", "", "", "", "▲0.009"]
    assert shown[0][4] == "█" * 8
    only = depth.view_depth(picture, focus._replace(venue="okx"), 5, 8)
    assert [row.cells[1].text for row in only] == ["100.13", "0.16", "99.97"]


def test_a_crossed_book_says_so() -> None:
    books = (
        DepthView("bybit", BTC, ((100.2, 1.0),), ((100.3, 1.0),)),
        DepthView("okx", BTC, ((99.0, 1.0),), ((100.0, 1.0),)),
    )
    focus = Focus(BTC, watch=replace(WATCH, depths=books))
    rows = depth.view_depth(pictures.busy(), focus, 1, 8)
    assert "cross" in [cell.text for cell in rows[1].cells]


def test_the_chart_fills_its_space_and_shows_price_fills_and_lines() -> None:
    picture = pictures.busy()
    for width, height in ((30, 5), (60, 12), (200, 40)):
        for line in (False, True):
            lines = chart.view_chart(picture, FOCUS._replace(line=line), width, height)
            assert len(lines) == height
            assert all(len(text(each)) <= width for each in lines)
    drawn = "\n".join(text(each) for each in chart.view_chart(picture, FOCUS, 120, 30))
    assert "◂ " + numbers.price(WATCH.bars[-1].close, Decimal("0.1")) in drawn
    assert "▲" in drawn or "▼" in drawn
    assert "─" in drawn
    assert "vol" in drawn
    assert "10:12" in drawn


def test_a_chart_never_shows_bars_under_another_name() -> None:
    picture = pictures.busy()
    assert chart.view_chart(picture, FOCUS._replace(timeframe=300), 80, 20) == ()
    assert chart.view_chart(picture, FOCUS._replace(venue="okx"), 80, 20) == ()
    assert chart.view_chart(picture, FOCUS._replace(watch=None), 80, 20) == ()
    assert chart.view_chart(picture, FOCUS, 80, 2) == ()


def test_a_flat_market_is_a_line_and_no_error() -> None:
    flat = tuple(replace(b, open=5.0, high=5.0, low=5.0, close=5.0, volume=0.0) for b in WATCH.bars)
    focus = FOCUS._replace(watch=replace(WATCH, bars=flat))
    for line in (False, True):
        lines = chart.view_chart(pictures.busy(positions=()), focus._replace(line=line), 80, 20)
        assert len(lines) == 20
    assert (
        chart.view_chart(pictures.busy(), focus._replace(watch=replace(WATCH, bars=())), 80, 20)
        == ()
    )


def test_a_stop_far_away_does_not_press_the_candles_flat() -> None:
    far = pictures.position("BTC", 0, "0.1", stop=Decimal(1000), entry=Decimal("64300.5"))
    picture = pictures.busy(positions=(far,), orders=())
    drawn = "\n".join(text(each) for each in chart.view_chart(picture, FOCUS, 80, 20))
    assert "1,000" not in drawn
    assert "e64,300.5" in drawn


# --- what-if --------------------------------------------------------------------------------------


def test_a_refused_what_if_names_each_limit_and_by_how_much() -> None:
    order = Submit("", "me", "okx", BTC, Side.BUY, Decimal("0.1"), 0)
    found = pictures.whatif(
        order,
        passed=False,
        checks=(
            CheckView("POSITION_NOTIONAL", False, "2000.00", "6412.05", "too large"),
            CheckView("SYMBOL_PAUSED", False, "", "", "paused by hand"),
            CheckView("LEVERAGE", False, "100.00", "200.00", ""),
        ),
        routes=(
            RouteView("okx", Decimal("0.02"), Decimal(64_000), Decimal("0.001"), Decimal(1)),
            RouteView("bybit", Decimal(0), None, None, Decimal(0)),
        ),
    )
    lines = [text(line) for line in ticket.view_whatif(found, pictures.busy(), order)]
    assert len(lines) == 6
    assert "only 0.02" in lines[3]
    assert "bybit no book" in lines[3]
    assert "best" not in lines[3]
    assert "POSITION_NOTIONAL 6412.05 of 2000.00: +4,412.05 (+220.6%)" in lines[4]
    assert "SYMBOL_PAUSED paused by hand · 1 more" in lines[5]


def test_why_tells_signal_size_checks_and_times_in_order() -> None:
    lines = [text(line) for line in view_why(pictures.why())]
    whole = "\n".join(lines)
    assert "ema_cross wants ▲ long" in whole
    assert "300,000.00 × 0.800% ÷ 64,120.5 = 0.0374295" in whole
    assert "✗ POSITION_NOTIONAL  7117.38 of 6000.00" in whole
    assert "1 of 2 passed" in whole
    assert "2.4 ms  reply: accepted" in whole
    assert whole.index("signal") < whole.index("size") < whole.index("checks")
    evil = pictures.why(order=pictures.EVIL, outcome=pictures.EVIL, venue=pictures.EVIL)
    assert all("\x1b" not in text(line) for line in view_why(evil))
    assert "reduces" in text(view_why(pictures.why(order="sell 1 stop, reduces", checks=()))[1])


def test_why_lists_what_a_model_saw() -> None:
    factors = (Factor("return_24", 1.25, 0.0712), Factor("fun\x1b[31mding", None, -0.03))
    lines = [text(line) for line in view_why(pictures.why(factors=factors))]
    at = lines.index(" what the model saw  log odds of a rise it added")
    assert lines[at + 1] == "     +0.071  return_24                    +1.25"
    assert lines[at + 2].split() == ["-0.030", "funding", "not", "known"]
    assert "what the model saw" not in "".join(map(text, view_why(pictures.why())))


def test_why_lists_the_articles_behind_the_number() -> None:
    said = NewsOpinion("openai \x1b[31mm", ("BTC",), "down", "days", 0.8, "Coins are sold.")
    parts = (
        NewsPart(
            "a", "Exchange \x1b[31mhalts withdrawals", "Times", 3, -0.9, -0.55, "offline 00d7", said
        ),
        NewsPart("b", "Network upgrade goes live", "Post", 1, 0.6, 0.13),
    )
    reading = NewsReading("BTC", -0.42, 0.31, 0.2, 4, pictures.NOW, -0.4, parts)
    lines = [text(line) for line in view_why(pictures.why(news=reading))]
    at = lines.index(" news  BTC -0.42")
    assert lines[at + 1].strip().startswith("evidence 0.31, change in an hour -0.40")
    assert lines[at + 2] == "   judged by offline 00d7"
    assert lines[at + 3] == "   -0.55 Exchange halts withdrawals Times +2"
    assert lines[at + 4].strip() == "openai m: down over days, 80% sure; moves nothing"
    assert lines[at + 5] == "   +0.13 Network upgrade goes live Post"
    assert not any(line.startswith(" news") for line in map(text, view_why(pictures.why())))


def test_news_show_score_outlets_effect_and_who_judged() -> None:
    picture = pictures.busy(news=pictures.news())
    first, second, _ = (named(row, news_view.COLUMNS) for row in news_view.view_news(picture))
    assert (first["score"], first["assets"], first["outlets"]) == ("-0.62", "BTC ETH", "3")
    assert first["effect"] == "BTC -0.55 for 1▼ vs 1▲"
    assert first["judged by"] == "offline 00d71b79b9d2"
    assert (second["score"], second["assets"], second["judged by"]) == ("-", "-", "")
    assert second["effect"] == "-"
    assert news_view.note_news(picture) == "offline 00d71b79b9d2 · 1 of 2 sources"
    other = pictures.busy(news=pictures.news(instead_of="finbert"))
    assert "offline 00d71b79b9d2 instead of finbert" in news_view.note_news(other)
    problem = "the news process was ended by signal 9"
    gone = pictures.busy(news=pictures.news(scorer="", problem=problem))
    assert "nobody judges: the news process was ended" in news_view.note_news(gone)
    assert news_view.view_news(pictures.busy()) == ()
    blocked = pictures.busy(news=pictures.news(blocked=(("BTC", 1800.0),)))
    row = named(news_view.view_news(blocked)[0], news_view.COLUMNS)
    assert row["effect"] == "BTC -0.55 blocks longs"


def test_news_of_one_asset() -> None:
    picture = pictures.busy(news=pictures.news())
    focus = Focus(about="SOL")
    (row,) = news_view.view_news(picture, focus)
    assert named(row, news_view.COLUMNS)["assets"] == "SOL"
    assert news_view.note_news(picture, focus).startswith("SOL only, f all · ")


def test_sources_that_need_something_stand_first_with_what_to_do() -> None:
    rows = news_view.view_sources(pictures.busy(news=pictures.news(trending=("PEPE", "SOL"))))
    needs, good = (named(row, news_view.SOURCE_COLUMNS) for row in rows)
    text = "left out, failed, what to do"
    assert (needs["source"], needs["state"]) == ("newsapi", "needs key")
    assert needs[text] == "killcord keys add newsapi"
    assert (good["source"], good["articles"]) == ("feed", "2")
    assert good[text] == "left out: 3 too old, 1 not English; quota exceeded 2 times"
    trending = pictures.busy(news=pictures.news(trending=("PEPE", "SOL")))
    assert news_view.note_sources(trending) == "most searched: PEPE SOL"
    assert news_view.view_sources(pictures.busy()) == ()


def test_a_story_in_full() -> None:
    picture = pictures.busy(news=pictures.news(blocked=(("BTC", 1800.0),)))
    assert picture.news is not None
    hack, mute, _ = picture.news.stories
    lines = [text(line) for line in view_story(hack, picture)]
    assert lines[0] == " Hack hits BTC"
    assert " 3 outlets: Times, Post, Gazette" in lines
    assert "   score -0.62, confidence 0.50" in lines
    assert "   negative 75%  neutral 12%  positive 13%" in lines
    assert "   by offline 00d71b79b9d2" in lines
    assert "   BTC -0.55 of the score -0.62 (articles 4), evidence 0.30" in lines
    assert "      the strategy wants ▲ long on 1, ▼ short on 1 instruments" in lines
    assert "      no new longs for 1,800 s" in lines
    assert "   ETH counts for nothing any more" in lines
    assert lines[-1] == "   https://t.example/hack"
    assert all(len(line) <= 70 for line in lines)
    said = NewsOpinion("openai m", ("BTC",), "down", "days", 0.8, "Stolen coins are sold.")
    second = [text(line) for line in view_story(replace(hack, opinion=said), picture)]
    at = second.index(" second reading  openai m; moves no score, no trade")
    assert second[at + 1 : at + 3] == [
        "   BTC down over days, confidence 0.80",
        "   Stolen coins are sold.",
    ]
    lines = [text(line) for line in view_story(mute, picture)]
    assert "   there was no text to judge" in lines
    assert lines[-1] == "   none was given"
    long = replace(hack, url="https://t.example/" + "x" * 100, title="word " * 40)
    cut = [text(line).strip() for line in view_story(long, picture)]
    assert "".join(cut[-2:]) == long.url


def test_readings_stand_in_markets_and_signals_where_news_is_read() -> None:
    picture = pictures.busy(news=pictures.news(trending=("SOL", "ETH")))
    rows = {row.cells[0].text.split()[0]: row for row in markets.view_markets(picture)}
    assert rows["BTC"].cells[-1].text == "-0.62 (4)"
    assert rows["ETH"].cells[-1].text == "- #2"
    assert rows["DOGE"].cells[-1].text == "-"
    assert len(rows["BTC"].cells) == len(markets.columns_of(picture))
    for row in signals.view_signals(picture):
        shown = named(row, signals.signal_columns(picture))["news"]
        assert shown in ("-0.62 (4)", "- #1", "- #2", "-")
    assert "news" not in {column.name for column in markets.columns_of(pictures.busy())}
    for changes, name in (
        ({"instead_of": "finbert"}, "news, stand-in"),
        ({"scorer": "", "instead_of": "offline"}, "news, unjudged"),
    ):
        other = pictures.busy(news=pictures.news(**changes))
        for columns in (markets.columns_of(other), signals.signal_columns(other)):
            assert columns[-1].name == name  # wherever a score appears


def test_feed_health_stands_side_by_side_where_there_is_room() -> None:
    picture = pictures.busy()
    first = replace(picture.venues[0], budget_used=0.8, gaps=3, dead_man="symbol", dead_man_s=42.0)
    picture = replace(picture, venues=(first, *picture.venues[1:]))
    rows = {row.key: row.cells for row in venues.view_health(picture)}
    assert [c.name for c in venues.health_columns(picture)] == ["", *pictures.VENUES]
    assert rows["rate budget"][1].text.endswith("80%")
    assert rows["rate budget"][1].tone == "warn"
    assert (rows["gaps"][1].text, rows["gaps"][2].text) == ("3", "0")
    assert rows["dead-man"][1].text == "42s"
    assert all(len(cells) == 4 for cells in rows.values())
    assert {"trades", "books", "tickers", "private", "reconnects", "clock skew"} <= rows.keys()
    compact = named(venues.view_venues(picture)[0], venues.COLUMNS)
    assert (compact["budget"], compact["gaps"]) == ("80%", "3")


def test_a_limit_without_a_value_says_so_and_is_not_broken() -> None:
    limit = LimitView("VALUE_AT_RISK", "VaR", None, 0.02, "fraction", False, "n/a, needs 264 h")
    (row,) = risk.view_risk(replace(pictures.busy(), limits=(limit,)))
    assert [cell.text for cell in row.cells][1:5] == ["n/a", "2.00%", "", ""]


def test_what_waits_for_a_person_is_on_top() -> None:
    picture = pictures.busy()
    oldest = signals.view_signals(picture)[-1]
    venue, symbol, _ = oldest.key.split("|")
    waits = HeldView(
        "KC1", venue, symbol, Side.SELL, Decimal("1.5"), Decimal(9), "s", "r", 0,
        picture.ts + 7_000_000_000,
    )  # fmt: skip
    rows = signals.view_signals(replace(picture, held=(waits,)))
    assert rows[0].key == oldest.key
    assert "sell 1.5? 7s" in [cell.text for cell in rows[0].cells]
    assert signals.note_signals(replace(picture, held=(waits,))).startswith("1 WAIT FOR YOU")


def test_a_models_chance_and_edge_stand_beside_its_score() -> None:
    picture = pictures.busy()
    sure = replace(picture.signals[0], chance=0.613, edge=0.00042, ts=pictures.NOW + 1)
    picture = replace(picture, signals=(sure, *picture.signals[1:]))
    first, second, *_ = signals.view_signals(picture)
    columns = signals.signal_columns(picture)
    shown = named(first, columns)
    assert (shown["rise"], shown["edge bp"]) == ("61%", "4.2")
    assert named(second, columns)["rise"] == "-"


def test_a_liquidation_far_away_is_not_spelt_out() -> None:
    far = pictures.position("BTC", 0, "-0.01", liquidation=Decimal(9_000_000))
    (row,) = positions.view_positions(pictures.busy(positions=(far,)))
    assert named(row, positions.COLUMNS)["to liq."] == ">999%"
