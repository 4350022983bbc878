"""OKX v5 account endpoints: money, positions, settings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.okx import codes, holdings
from exchanges.practice.okx.orders import OkxNo, OrderDesk, bad, read_number, require
from exchanges.practice.okx.route import Params, Route, page
from exchanges.practice.state import Refusal, RefusalKind
from exchanges.practice.wire import plain


class Account:
    """What a key may ask of its account."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk) -> None:
        self.venue = venue
        self.desk = desk

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("GET", "/account/config"): Route(self.config, 5),
            ("GET", "/account/balance"): Route(self.balance, 10),
            ("GET", "/account/positions"): Route(self.positions, 10),
            ("GET", "/account/leverage-info"): Route(self.leverage, 20),
            ("POST", "/account/set-leverage"): Route(self.set_leverage, 40),
            ("POST", "/account/set-position-mode"): Route(self.set_position_mode, 5),
            ("GET", "/account/bills"): Route(self.bills, 10),
            ("GET", "/account/bills-archive"): Route(self.bills, 10),
            ("GET", "/account/trade-fee"): Route(self.trade_fee, 5),
            ("GET", "/asset/currencies"): Route(self.none, 12),
            ("GET", "/asset/balances"): Route(self.none, 12),
        }

    def config(self, account: str, _: Params) -> Any:
        """Answer ``GET /api/v5/account/config``."""
        return [
            {
                "acctLv": "2",
                "acctStpMode": "cancel_maker",
                "autoLoan": False,
                "ctIsoMode": "automatic",
                "enableSpotBorrow": False,
                "greeksType": "PA",
                "feeType": "0",
                "ip": "",
                "type": "0",
                "kycLv": "3",
                "label": "practice",
                "level": "Lv1",
                "levelTmp": "",
                "liquidationGear": "-1",
                "mainUid": account,
                "mgnIsoMode": "automatic",
                "opAuth": "0",
                "perm": "read_only,trade",
                "posMode": "net_mode",
                "roleType": "0",
                "spotBorrowAutoRepay": False,
                "spotOffsetType": "",
                "spotRoleType": "0",
                "spotTraderInsts": [],
                "traderInsts": [],
                "stgyType": "0",
                "uid": account,
                "settleCcy": "USDT",
                "settleCcyList": ["USDT"],
            }
        ]

    def balance(self, account: str, _: Params) -> Any:
        """Answer ``GET /api/v5/account/balance``."""
        return [holdings.balance_row(self.venue.wallet(account))]

    def positions(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/account/positions``."""
        names = str(params.get("instId") or "")
        if params.get("instType", "SWAP") != "SWAP":
            return []
        if names:
            contracts = [self.desk.contract({"instId": name}) for name in names.split(",")]
            found = [p for c in contracts for p in self.venue.positions(account, c.symbol)]
        else:
            found = self.venue.positions(account)
        rows = []
        for position in found:
            if position.qty:
                contract = self.venue.contracts[position.symbol]
                rows.append(holdings.position_row(position, contract, self.last(position.symbol)))
        return rows

    def last(self, symbol: str) -> str:
        """Return the last price as text."""
        contract = self.venue.contracts[symbol]
        return contract.price_text(self.venue.ticker(symbol).last_tick)

    def leverage(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/account/leverage-info``."""
        mode = require(params, "mgnMode")
        return [
            {
                "instId": name,
                "ccy": "",
                "mgnMode": mode,
                "posSide": "net",
                "lever": plain(
                    self.venue.leverage(account, self.desk.contract({"instId": name}).symbol)
                ),
            }
            for name in require(params, "instId").split(",")
        ]

    def set_leverage(self, account: str, params: Params) -> Any:
        """Answer ``POST /api/v5/account/set-leverage``."""
        contract = self.desk.contract(params)
        if require(params, "mgnMode") != "cross":
            raise bad("mgnMode")
        lever = read_number({"lever": require(params, "lever")}, "lever") or Decimal(0)
        try:
            self.venue.set_leverage(account, contract.symbol, lever)
        except Refusal as refusal:
            if refusal.kind is not RefusalKind.UNCHANGED:
                raise OkxNo(*codes.refusal_code(refusal)) from None
        return [
            {
                "lever": plain(lever),
                "mgnMode": "cross",
                "instId": contract.venue_symbol,
                "posSide": "net",
            }
        ]

    def set_position_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /api/v5/account/set-position-mode``."""
        if require(params, "posMode") != "net_mode":
            raise OkxNo(*codes.HAS_POSITIONS)
        return [{"posMode": "net_mode"}]

    def bills(self, account: str, params: Params) -> Any:
        """Answer ``GET /api/v5/account/bills``."""
        wanted, name = str(params.get("type") or ""), str(params.get("instId") or "")
        symbol = self.desk.contract(params).symbol if name else None
        begin, end = int(params.get("begin") or 0), params.get("end")
        until = int(end) if end else None
        balance = self.venue.wallet(account).balance
        rows = []
        if wanted in {"", "8"}:
            rows += [
                holdings.funding_bill(payment, self.venue.contracts[payment.symbol], balance)
                for payment in self.venue.funding_payments(
                    account, symbol, since_ms=begin, until_ms=until, limit=100_000
                )
            ]
        if wanted in {"", "2"}:
            rows += [
                holdings.trade_bill(fill, self.venue.contracts[fill.symbol], balance)
                for fill in self.venue.fills(
                    account, symbol, since_ms=begin, until_ms=until, limit=100_000
                )
            ]
        rows.sort(key=lambda row: (int(row["ts"]), row["billId"]), reverse=True)
        return page(rows, params, "billId")

    def trade_fee(self, _: str, params: Params) -> Any:
        """Answer ``GET /api/v5/account/trade-fee``."""
        instrument = next(iter(self.venue.contracts.values())).instrument
        kind = require(params, "instType")
        return [
            {
                "category": "1",
                "delivery": "",
                "exercise": "",
                "feeGroup": [],
                "fiat": [],
                "instType": kind,
                "level": "Lv1",
                "maker": plain(-instrument.maker_fee),
                "makerU": plain(-instrument.maker_fee),
                "makerUSDC": plain(-instrument.maker_fee),
                "ruleType": "normal",
                "taker": plain(-instrument.taker_fee),
                "takerU": plain(-instrument.taker_fee),
                "takerUSDC": plain(-instrument.taker_fee),
                "ts": str(self.venue.now_ms()),
            }
        ]

    def none(self, _: str, __: Params) -> Any:
        """Answer ``GET /api/v5/asset/currencies``."""
        return []
