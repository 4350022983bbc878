"""How Bybit v5 writes positions, the wallet and the settlements that move it.

Every number is text; an empty text means that there is none.
"""

from __future__ import annotations

from decimal import Decimal

from exchanges.practice.bybit.shapes import SIDES, Row
from exchanges.practice.contracts import Contract
from exchanges.practice.state import FundingPayment, PositionState, PracticeFill, WalletState
from exchanges.practice.wire import fixed, places, plain


def funding_row(payment: FundingPayment, contract: Contract) -> Row:
    """Write a settlement as ``execution/list`` does; ``execFee`` is positive when paid."""
    qty = abs(payment.qty)
    digits = places(contract.lot)
    return {
        "category": "linear",
        "symbol": contract.venue_symbol,
        "execId": payment.payment_id,
        "orderId": f"{payment.ts_ms}-{payment.payment_id}",
        "orderLinkId": "",
        "side": "Buy" if payment.qty > 0 else "Sell",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "createType": "",
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "execPrice": plain(payment.mark),
        "execQty": fixed(qty, digits),
        "execValue": plain(qty * payment.mark),
        "execFee": plain(-payment.amount),
        "feeRate": plain(payment.rate),
        "feeCurrency": "",
        "execType": "Funding",
        "execTime": str(payment.ts_ms),
        "isMaker": False,
        "isLeverage": "0",
        "markPrice": plain(payment.mark),
        "indexPrice": "",
        "underlyingPrice": "",
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "closedSize": "0",
        "seq": payment.ts_ms,
    }


def trade_log(fill: PracticeFill, contract: Contract, balance: Decimal) -> Row:
    """Write a fill as ``transaction-log`` does: what it changed in cash."""
    rate = contract.instrument.maker_fee if fill.maker else contract.instrument.taker_fee
    return {
        "id": f"{fill.account}_{contract.venue_symbol}_{fill.trade_id}",
        "symbol": contract.venue_symbol,
        "side": SIDES[fill.side],
        "funding": "",
        "orderLinkId": fill.client_id,
        "orderId": fill.order_id,
        "fee": plain(fill.fee),
        "change": plain(fill.realised - fill.fee),
        "cashFlow": plain(fill.realised),
        "transactionTime": str(fill.ts_ms),
        "type": "TRADE",
        "feeRate": plain(rate),
        "bonusChange": "",
        "size": "",
        "qty": fixed(fill.qty, places(contract.lot)),
        "cashBalance": plain(balance),
        "currency": "USDT",
        "category": "linear",
        "tradePrice": fixed(fill.price, places(contract.tick)),
        "tradeId": fill.trade_id,
    }


def funding_log(payment: FundingPayment, contract: Contract, balance: Decimal) -> Row:
    """Write a settlement as ``transaction-log`` does; ``funding`` is positive when received."""
    return {
        "id": f"{payment.account}_{contract.venue_symbol}_{payment.payment_id}",
        "symbol": contract.venue_symbol,
        "side": "Buy" if payment.qty > 0 else "Sell",
        "funding": plain(payment.amount),
        "orderLinkId": "",
        "orderId": payment.payment_id,
        "fee": "0",
        "change": plain(payment.amount),
        "cashFlow": "0",
        "transactionTime": str(payment.ts_ms),
        "type": "SETTLEMENT",
        "feeRate": plain(payment.rate),
        "bonusChange": "",
        "size": plain(payment.qty),
        "qty": plain(abs(payment.qty)),
        "cashBalance": plain(balance),
        "currency": "USDT",
        "category": "linear",
        "tradePrice": plain(payment.mark),
        "tradeId": payment.payment_id,
    }


def position_row(position: PositionState, contract: Contract, *, stream: bool) -> Row:
    """Write a position; the stream calls the average price ``entryPrice``, REST ``avgPrice``."""
    price_digits, qty_digits = places(contract.tick), places(contract.lot)
    size = abs(position.qty)
    liquidation = position.liquidation
    return {
        "positionIdx": 0,
        "tradeMode": 0,
        "riskId": 1,
        "riskLimitValue": "2000000",
        "symbol": contract.venue_symbol,
        "side": "" if not position.qty else ("Buy" if position.qty > 0 else "Sell"),
        "size": fixed(size, qty_digits) if size else "0",
        "entryPrice" if stream else "avgPrice": plain(position.entry),
        "leverage": plain(position.leverage),
        "positionValue": plain(size * position.entry) if size else ("0" if stream else ""),
        "positionBalance": "0",
        "markPrice": fixed(position.mark, price_digits),
        "positionIM": plain(position.initial_margin),
        "positionMM": plain(position.maintenance_margin),
        "positionIMByMp": plain(position.initial_margin),
        "positionMMByMp": plain(position.maintenance_margin),
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "tpslMode": "Full",
        "unrealisedPnl": plain(position.unrealised),
        "curRealisedPnl": plain(position.realised),
        "cumRealisedPnl": plain(position.realised),
        "sessionAvgPrice": "",
        "liqPrice": fixed(liquidation, price_digits) if size and liquidation > 0 else "",
        "bustPrice": "",
        "category": "linear",
        "positionStatus": "Normal",
        "adlRankIndicator": 2 if size else 0,
        "autoAddMargin": 0,
        "isReduceOnly": False,
        "leverageSysUpdatedTime": "",
        "mmrSysUpdatedTime": "",
        "seq": position.updated_ms,
        "createdTime": str(position.opened_ms or position.updated_ms),
        "updatedTime": str(position.updated_ms),
    }


def wallet_row(wallet: WalletState) -> Row:
    """Write the unified account as ``wallet-balance`` and topic ``wallet`` do."""
    equity, used = wallet.equity, wallet.position_margin + wallet.order_margin
    rate = used / equity if equity > 0 else Decimal(0)
    keep = wallet.maintenance_margin / equity if equity > 0 else Decimal(0)
    return {
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "accountIMRate": fixed(rate, 4),
        "accountMMRate": fixed(keep, 4),
        "totalEquity": plain(equity),
        "totalWalletBalance": plain(wallet.balance),
        "totalMarginBalance": plain(equity),
        "totalAvailableBalance": plain(wallet.available),
        "totalPerpUPL": plain(wallet.unrealised),
        "totalInitialMargin": plain(used),
        "totalMaintenanceMargin": plain(wallet.maintenance_margin),
        "coin": [
            {
                "coin": "USDT",
                "equity": plain(equity),
                "usdValue": plain(equity),
                "walletBalance": plain(wallet.balance),
                "availableToWithdraw": "",
                "availableToBorrow": "",
                "borrowAmount": "0",
                "accruedInterest": "0",
                "totalOrderIM": plain(wallet.order_margin),
                "totalPositionIM": plain(wallet.position_margin),
                "totalPositionMM": plain(wallet.maintenance_margin),
                "unrealisedPnl": plain(wallet.unrealised),
                "cumRealisedPnl": "0",
                "bonus": "0",
                "collateralSwitch": True,
                "marginCollateral": True,
                "locked": "0",
                "spotBorrow": "0",
                "spotHedgingQty": "0",
            }
        ],
    }
