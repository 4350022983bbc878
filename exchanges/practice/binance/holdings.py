"""How Binance USDⓈ-M writes positions, assets and the account.

Quantities are text, times are integers, flags are JSON booleans.
"""

from __future__ import annotations

from decimal import Decimal

from exchanges.practice.binance.shapes import Row
from exchanges.practice.contracts import Contract
from exchanges.practice.state import PositionState, WalletState
from exchanges.practice.wire import fixed, places, plain


def risk_row(position: PositionState, contract: Contract) -> Row:
    """Write a position as ``/fapi/v3/positionRisk`` does."""
    qty_digits = places(contract.lot)
    value = position.qty * position.mark
    return {
        "symbol": contract.venue_symbol,
        "positionSide": "BOTH",
        "positionAmt": fixed(position.qty, qty_digits),
        "entryPrice": plain(position.entry) if position.qty else "0.0",
        "breakEvenPrice": plain(position.entry) if position.qty else "0.0",
        "markPrice": fixed(position.mark, 8),
        "unRealizedProfit": fixed(position.unrealised, 8),
        "liquidationPrice": plain(max(position.liquidation, Decimal(0))),
        "isolatedMargin": "0",
        "notional": fixed(value, 8),
        "marginAsset": "USDT",
        "isolatedWallet": "0",
        "initialMargin": fixed(position.initial_margin, 8),
        "maintMargin": fixed(position.maintenance_margin, 8),
        "positionInitialMargin": fixed(position.initial_margin, 8),
        "openOrderInitialMargin": "0",
        "adl": 2 if position.qty else 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def risk_row_v2(position: PositionState, contract: Contract) -> Row:
    """Write a position as ``/fapi/v2/positionRisk`` does: with leverage and margin type."""
    row = risk_row(position, contract)
    keep = (
        "symbol", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit",
        "liquidationPrice", "isolatedMargin", "positionSide", "notional", "isolatedWallet",
        "updateTime",
    )  # fmt: skip
    return {
        **{key: row[key] for key in keep},
        "leverage": plain(position.leverage),
        "maxNotionalValue": "20000000",
        "marginType": "cross",
        "isAutoAddMargin": "false",
    }


def asset_row(wallet: WalletState) -> Row:
    """Write USDT as ``/fapi/v3/account`` does."""
    return {
        "asset": "USDT",
        "walletBalance": fixed(wallet.balance, 8),
        "unrealizedProfit": fixed(wallet.unrealised, 8),
        "marginBalance": fixed(wallet.equity, 8),
        "maintMargin": fixed(wallet.maintenance_margin, 8),
        "initialMargin": fixed(wallet.position_margin + wallet.order_margin, 8),
        "positionInitialMargin": fixed(wallet.position_margin, 8),
        "openOrderInitialMargin": fixed(wallet.order_margin, 8),
        "crossWalletBalance": fixed(wallet.balance, 8),
        "crossUnPnl": fixed(wallet.unrealised, 8),
        "availableBalance": fixed(wallet.available, 8),
        "maxWithdrawAmount": fixed(wallet.available, 8),
        "updateTime": wallet.updated_ms,
    }


def account_row(wallet: WalletState, positions: list[tuple[PositionState, Contract]]) -> Row:
    """Write the account as ``/fapi/v3/account`` does."""
    asset = asset_row(wallet)
    return {
        "totalInitialMargin": asset["initialMargin"],
        "totalMaintMargin": asset["maintMargin"],
        "totalWalletBalance": asset["walletBalance"],
        "totalUnrealizedProfit": asset["unrealizedProfit"],
        "totalMarginBalance": asset["marginBalance"],
        "totalPositionInitialMargin": asset["positionInitialMargin"],
        "totalOpenOrderInitialMargin": asset["openOrderInitialMargin"],
        "totalCrossWalletBalance": asset["crossWalletBalance"],
        "totalCrossUnPnl": asset["crossUnPnl"],
        "availableBalance": asset["availableBalance"],
        "maxWithdrawAmount": asset["maxWithdrawAmount"],
        "assets": [asset],
        "positions": [
            {
                "symbol": contract.venue_symbol,
                "positionSide": "BOTH",
                "positionAmt": fixed(position.qty, places(contract.lot)),
                "unrealizedProfit": fixed(position.unrealised, 8),
                "isolatedMargin": "0.00000000",
                "notional": fixed(position.qty * position.mark, 8),
                "isolatedWallet": "0",
                "initialMargin": fixed(position.initial_margin, 8),
                "maintMargin": fixed(position.maintenance_margin, 8),
                "updateTime": position.updated_ms,
            }
            for position, contract in positions
        ],
    }
