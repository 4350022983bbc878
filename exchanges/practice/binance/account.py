"""Binance USDⓈ-M account endpoints: money, positions, settings."""

from __future__ import annotations

import secrets
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.model.instrument import Instrument
from exchanges.practice.binance import codes, holdings, shapes
from exchanges.practice.binance.orders import BinanceNo, OrderDesk, read_int, read_number, require
from exchanges.practice.binance.route import KEY_ONLY, PUBLIC, Params, Route
from exchanges.practice.contracts import Contract
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import Refusal, RefusalKind, WalletState
from exchanges.practice.wire import fixed, plain

LISTEN_KEY_MS = 3_600_000


class ListenKey(Struct):
    """A user stream that a key may connect to until it expires."""

    key: str
    account: str
    expires: int


class Account:
    """What a key may ask of its account."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk) -> None:
        self.venue = venue
        self.desk = desk
        self.listen_keys: dict[str, ListenKey] = {}

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("GET", "/fapi/v2/account"): Route(self.account, weight=5),
            ("GET", "/fapi/v3/account"): Route(self.account, weight=5),
            ("GET", "/fapi/v2/balance"): Route(self.balance, weight=5),
            ("GET", "/fapi/v3/balance"): Route(self.balance, weight=5),
            ("GET", "/fapi/v1/accountConfig"): Route(self.account_config, weight=5),
            ("GET", "/fapi/v2/positionRisk"): Route(self.risk_v2, weight=5),
            ("GET", "/fapi/v3/positionRisk"): Route(self.risk, weight=5),
            ("GET", "/fapi/v1/leverageBracket"): Route(self.brackets),
            ("GET", "/fapi/v1/commissionRate"): Route(self.commission, weight=20),
            ("GET", "/fapi/v1/symbolConfig"): Route(self.symbol_config, weight=5),
            ("POST", "/fapi/v1/leverage"): Route(self.set_leverage),
            ("POST", "/fapi/v1/marginType"): Route(self.margin_type),
            ("GET", "/fapi/v1/positionSide/dual"): Route(self.position_mode, weight=30),
            ("POST", "/fapi/v1/positionSide/dual"): Route(self.set_position_mode),
            ("GET", "/fapi/v1/multiAssetsMargin"): Route(self.assets_mode, weight=30),
            ("POST", "/fapi/v1/multiAssetsMargin"): Route(self.set_assets_mode),
            ("GET", "/fapi/v1/income"): Route(self.income, weight=30),
            ("POST", "/fapi/v1/listenKey"): Route(self.listen, KEY_ONLY),
            ("PUT", "/fapi/v1/listenKey"): Route(self.keep_listening, KEY_ONLY),
            ("DELETE", "/fapi/v1/listenKey"): Route(self.stop_listening, KEY_ONLY),
            ("GET", "/sapi/v1/system/status"): Route(self.system_status, PUBLIC),
            ("GET", "/sapi/v1/account/apiRestrictions"): Route(self.restrictions),
            ("GET", "/sapi/v1/capital/config/getall"): Route(self.none),
            ("GET", "/sapi/v1/margin/allPairs"): Route(self.none),
            ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(self.none),
        }

    def none(self, _: str, __: Params) -> Any:
        """Answer ``GET /sapi/v1/capital/config/getall``."""
        return []

    def system_status(self, _: str, __: Params) -> Any:
        """Answer ``GET /sapi/v1/system/status``."""
        return {"status": 0, "msg": "normal"}

    def restrictions(self, _: str, __: Params) -> Any:
        """Answer ``GET /sapi/v1/account/apiRestrictions``."""
        return {
            "ipRestrict": False,
            "createTime": 1698645219000,
            "enableReading": True,
            "enableFutures": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableMargin": False,
            "enableSpotAndMarginTrading": False,
            "enablePortfolioMarginTrading": False,
        }

    def account(self, account: str, _: Params) -> Any:
        """Answer ``GET /fapi/v2/account``."""
        positions = [
            (position, self.venue.contracts[position.symbol])
            for position in self.venue.positions(account)
        ]
        return holdings.account_row(self._wallet(account), positions)

    def _wallet(self, account: str) -> WalletState:
        """Return the money; clients skip an asset that was never updated."""
        wallet = self.venue.wallet(account)
        return wallet if wallet.updated_ms else replace(wallet, updated_ms=self.venue.now_ms())

    def balance(self, account: str, _: Params) -> Any:
        """Answer ``GET /fapi/v2/balance``."""
        asset = holdings.asset_row(self._wallet(account))
        return [
            {
                "accountAlias": account,
                "asset": "USDT",
                "balance": asset["walletBalance"],
                "crossWalletBalance": asset["crossWalletBalance"],
                "crossUnPnl": asset["crossUnPnl"],
                "availableBalance": asset["availableBalance"],
                "maxWithdrawAmount": asset["maxWithdrawAmount"],
                "marginAvailable": True,
                "updateTime": asset["updateTime"],
            }
        ]

    def account_config(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/accountConfig``."""
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": False,
            "canWithdraw": False,
            "dualSidePosition": False,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
        }

    def risk(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v3/positionRisk``."""
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        return [
            holdings.risk_row(position, self.venue.contracts[position.symbol])
            for position in self.venue.positions(account, symbol)
            if position.qty
        ]

    def risk_v2(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v2/positionRisk``."""
        symbols = [self.desk.contract(params).symbol] if params.get("symbol") else None
        return [
            holdings.risk_row_v2(position, self.venue.contracts[symbol])
            for symbol in symbols or self.venue.contracts
            for position in self.venue.positions(account, symbol)
        ]

    def brackets(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/leverageBracket``."""

        def row(contract: Contract) -> dict[str, Any]:
            bracket = {
                "bracket": 1,
                "initialLeverage": int(contract.instrument.max_leverage),
                "notionalCap": 20_000_000,
                "notionalFloor": 0,
                "maintMarginRatio": float(contract.maintenance),
                "cum": 0.0,
            }
            return {"symbol": contract.venue_symbol, "notionalCoef": 1.0, "brackets": [bracket]}

        if params.get("symbol"):
            return [row(self.desk.contract(params))]
        return [row(contract) for contract in self.venue.contracts.values()]

    def commission(self, _: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/commissionRate``."""
        contract = self.desk.contract(params)
        instrument: Instrument = contract.instrument
        return {
            "symbol": contract.venue_symbol,
            "makerCommissionRate": plain(instrument.maker_fee),
            "takerCommissionRate": plain(instrument.taker_fee),
            "rpiCommissionRate": "0.00005000",
        }

    def symbol_config(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/symbolConfig``."""
        contracts = (
            [self.desk.contract(params)]
            if params.get("symbol")
            else list(self.venue.contracts.values())
        )
        return [
            {
                "symbol": contract.venue_symbol,
                "marginType": "CROSSED",
                "isAutoAddMargin": False,
                "leverage": int(self.venue.leverage(account, contract.symbol)),
                "maxNotionalValue": "20000000",
            }
            for contract in contracts
        ]

    def set_leverage(self, account: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/leverage``."""
        contract = self.desk.contract(params)
        leverage = read_number({"leverage": require(params, "leverage")}, "leverage")
        try:
            self.venue.set_leverage(account, contract.symbol, leverage or 0)  # type: ignore[arg-type]
        except Refusal as refusal:
            if refusal.kind is not RefusalKind.UNCHANGED:
                if refusal.kind is RefusalKind.BAD_LEVERAGE:
                    raise BinanceNo(-4028, f"Leverage {leverage} is not valid") from None
                raise BinanceNo(*codes.refusal_code(refusal)) from None
        return {
            "symbol": contract.venue_symbol,
            "leverage": int(leverage or 0),
            "maxNotionalValue": "20000000",
        }

    def margin_type(self, _: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/marginType``."""
        self.desk.contract(params)
        if require(params, "marginType") == "CROSSED":
            raise BinanceNo(*codes.MARGIN_SAME)
        raise BinanceNo(-4067, "The practice venue has cross margin only.")

    def position_mode(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/positionSide/dual``."""
        return {"dualSidePosition": False}

    def set_position_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/positionSide/dual``."""
        if require(params, "dualSidePosition").lower() == "false":
            raise BinanceNo(*codes.MODE_SAME)
        raise BinanceNo(-4068, "The practice venue has one-way positions only.")

    def assets_mode(self, _: str, __: Params) -> Any:
        """Answer ``GET /fapi/v1/multiAssetsMargin``."""
        return {"multiAssetsMargin": False}

    def set_assets_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /fapi/v1/multiAssetsMargin``."""
        if require(params, "multiAssetsMargin").lower() == "false":
            raise BinanceNo(-4171, "No need to change position side.")
        raise BinanceNo(-4168, "The practice venue has single-asset margin only.")

    def income(self, account: str, params: Params) -> Any:
        """Answer ``GET /fapi/v1/income``."""
        symbol = self.desk.contract(params).symbol if params.get("symbol") else None
        since, until = read_int(params, "startTime", 0) or 0, read_int(params, "endTime")
        wanted = params.get("incomeType")
        rows: list[dict[str, Any]] = []

        def add(kind: str, name: str, amount: Any, ts: int, number: str, trade: str) -> None:
            if wanted in (None, "", kind):
                rows.append(
                    {
                        "symbol": self.venue.contracts[name].venue_symbol,
                        "incomeType": kind,
                        "income": fixed(amount, 8),
                        "asset": "USDT",
                        "info": kind if kind != "FUNDING_FEE" else "",
                        "time": ts,
                        "tranId": shapes.number_of(number),
                        "tradeId": trade,
                    }
                )

        for payment in self.venue.funding_payments(
            account, symbol, since_ms=since, until_ms=until, limit=100_000
        ):
            number = payment.payment_id
            add("FUNDING_FEE", payment.symbol, payment.amount, payment.ts_ms, number, "")
        if wanted in (None, "", "COMMISSION", "REALIZED_PNL"):
            for fill in self.venue.fills(
                account, symbol, since_ms=since, until_ms=until, limit=100_000
            ):
                number = fill.trade_id
                add("COMMISSION", fill.symbol, -fill.fee, fill.ts_ms, number, number)
                if fill.realised:
                    add("REALIZED_PNL", fill.symbol, fill.realised, fill.ts_ms, number, number)
        rows.sort(key=lambda row: int(row["time"]))
        limit = min(read_int(params, "limit", 100) or 100, 1000)
        return rows[:limit] if since else rows[-limit:]

    def listen(self, account: str, _: Params) -> Any:
        """Answer ``POST /fapi/v1/listenKey``."""
        now = self.venue.now_ms()
        for known in self.listen_keys.values():
            if known.account == account and known.expires > now:
                known.expires = now + LISTEN_KEY_MS
                return {"listenKey": known.key}
        key = secrets.token_urlsafe(48).replace("-", "a").replace("_", "b")
        self.listen_keys[key] = ListenKey(key, account, now + LISTEN_KEY_MS)
        return {"listenKey": key}

    def keep_listening(self, account: str, _: Params) -> Any:
        """Answer ``PUT /fapi/v1/listenKey``."""
        now = self.venue.now_ms()
        for known in self.listen_keys.values():
            if known.account == account and known.expires > now:
                known.expires = now + LISTEN_KEY_MS
                return {"listenKey": known.key}
        raise BinanceNo(*codes.BAD_LISTEN_KEY)

    def stop_listening(self, account: str, _: Params) -> Any:
        """Answer ``DELETE /fapi/v1/listenKey``."""
        for known in self.listen_keys.values():
            if known.account == account:
                known.expires = 0
        return {}
