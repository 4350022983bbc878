"""Bybit v5 account endpoints: money, positions, settings."""

from __future__ import annotations

from typing import Any

from exchanges.practice.bybit import codes, holdings
from exchanges.practice.bybit.orders import BybitNo, OrderDesk, read_number
from exchanges.practice.bybit.route import Params, Route
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import Refusal, RefusalKind
from exchanges.practice.wire import plain


class Account:
    """What a key may ask of its account."""

    def __init__(self, venue: PracticeVenue, desk: OrderDesk) -> None:
        self.venue = venue
        self.desk = desk
        self.windows_of_silence: dict[str, int] = {}
        """Account to seconds its private stream may be gone before its orders are cancelled."""

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the endpoints by method and path."""
        return {
            ("GET", "/v5/user/query-api"): Route(self.api_key, 10),
            ("GET", "/v5/account/info"): Route(self.account_info, 50),
            ("GET", "/v5/account/query-dcp-info"): Route(self.dead_man_info, 50),
            ("GET", "/v5/account/wallet-balance"): Route(self.wallet, 50),
            ("POST", "/v5/account/set-margin-mode"): Route(self.set_margin_mode, 10),
            ("GET", "/v5/account/fee-rate"): Route(self.fee_rate, 10),
            ("GET", "/v5/asset/coin/query-info"): Route(self.coins, 10),
            ("GET", "/v5/position/list"): Route(self.positions, 50),
            ("POST", "/v5/position/set-leverage"): Route(self.set_leverage, 10),
            ("POST", "/v5/position/switch-mode"): Route(self.switch_mode, 10),
            ("POST", "/v5/order/disconnected-cancel-all"): Route(self.dead_man, 5),
        }

    def api_key(self, account: str, _: Params) -> Any:
        """Answer ``GET /v5/user/query-api``."""
        return {
            "id": account,
            "note": "practice",
            "apiKey": "",
            "readOnly": 0,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": [],
                "Wallet": [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"],
                "CopyTrading": [],
                "BlockTrade": [],
                "Exchange": [],
                "NFT": [],
                "Affiliate": [],
                "Earn": [],
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": 90,
            "expiredAt": "2099-01-01T00:00:00Z",
            "createdAt": "2024-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": int(account) if account.isdigit() else 0,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
        }

    def account_info(self, account: str, _: Params) -> Any:
        """Answer ``GET /v5/account/info``."""
        return {
            "marginMode": "REGULAR_MARGIN",
            "updatedTime": str(self.venue.now_ms()),
            "unifiedMarginStatus": 5,
            "dcpStatus": "ON" if account in self.windows_of_silence else "OFF",
            "timeWindow": self.windows_of_silence.get(account, 10),
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }

    def wallet(self, account: str, _: Params) -> Any:
        """Answer ``GET /v5/account/wallet-balance``."""
        return {"list": [holdings.wallet_row(self.venue.wallet(account))]}

    def set_margin_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /v5/account/set-margin-mode``."""
        if params.get("setMarginMode") != "REGULAR_MARGIN":
            raise BybitNo(3400045, "Set margin mode failed")
        return {"reasons": []}

    def fee_rate(self, _: str, params: Params) -> Any:
        """Answer ``GET /v5/account/fee-rate``."""
        wanted = params.get("symbol")
        rows = [
            {
                "symbol": contract.venue_symbol,
                "takerFeeRate": plain(contract.instrument.taker_fee),
                "makerFeeRate": plain(contract.instrument.maker_fee),
                "baseCoin": "",
            }
            for contract in self.venue.contracts.values()
            if not wanted or contract.venue_symbol == wanted
        ]
        return {"list": rows}

    def coins(self, _: str, __: Params) -> Any:
        """Answer ``GET /v5/asset/coin/query-info``."""
        return {"rows": []}

    def dead_man(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/order/disconnected-cancel-all``."""
        seconds = int(params.get("timeWindow") or 10)
        if not 3 <= seconds <= 300:
            raise BybitNo(codes.BAD_REQUEST, "params error: timeWindow invalid")
        self.windows_of_silence[account] = seconds
        return {}

    def dead_man_info(self, account: str, _: Params) -> Any:
        """Answer ``GET /v5/account/query-dcp-info``."""
        if account not in self.windows_of_silence:
            return {"dcpInfos": []}
        window = str(self.windows_of_silence[account])
        row = {"product": "DERIVATIVES", "dcpStatus": "ON", "timeWindow": window}
        return {"dcpInfos": [row]}

    def positions(self, account: str, params: Params) -> Any:
        """Answer ``GET /v5/position/list``."""
        if params.get("category") != "linear" or params.get("settleCoin") == "USDC":
            found = []
        elif params.get("symbol"):
            found = self.venue.positions(account, self.desk.contract(params).symbol)
        elif params.get("settleCoin") or params.get("baseCoin"):
            found = self.venue.positions(account)
        else:
            raise BybitNo(codes.BAD_REQUEST, "params error: symbol or settleCoin is required")
        rows = [
            holdings.position_row(position, self.venue.contracts[position.symbol], stream=False)
            for position in found
        ]
        return {"category": params.get("category"), "list": rows, "nextPageCursor": ""}

    def set_leverage(self, account: str, params: Params) -> Any:
        """Answer ``POST /v5/position/set-leverage``."""
        contract = self.desk.contract(params)
        buy, sell = read_number(params, "buyLeverage"), read_number(params, "sellLeverage")
        if buy is None or buy != sell:
            raise BybitNo(codes.BAD_REQUEST, "params error: buy leverage not equal sell leverage")
        try:
            self.venue.set_leverage(account, contract.symbol, buy)
        except Refusal as refusal:
            if refusal.kind is RefusalKind.UNCHANGED:
                raise BybitNo(*codes.LEVERAGE_SAME) from None
            raise
        return {}

    def switch_mode(self, _: str, params: Params) -> Any:
        """Answer ``POST /v5/position/switch-mode``."""
        if str(params.get("mode")) == "0":
            raise BybitNo(*codes.MODE_SAME)
        raise BybitNo(110029, "Hedge mode is not available for this symbol")
