"""How OKX v5 writes positions, the balance and the bills that move it.

Everything is text; an empty text means that there is none. Sizes are contracts.
"""

from __future__ import annotations

from decimal import Decimal
from zlib import crc32

from core.model.market import Side
from exchanges.practice.contracts import Contract
from exchanges.practice.okx.shapes import Row, size
from exchanges.practice.state import FundingPayment, PositionState, PracticeFill, WalletState
from exchanges.practice.wire import fixed, plain


def position_row(position: PositionState, contract: Contract, last: str) -> Row:
    """Write a position, net mode."""
    value = abs(position.qty) * position.mark
    margin = position.initial_margin
    ratio = position.unrealised / margin if margin else Decimal(0)
    liquidation = position.liquidation
    return {
        "instType": "SWAP",
        "instId": contract.venue_symbol,
        "mgnMode": "cross",
        "posId": str(crc32(position.symbol.encode())),
        "posSide": "net",
        "pos": size(contract, position.qty),
        "posCcy": "",
        "availPos": size(contract, abs(position.qty)) if position.qty else "",
        "avgPx": plain(position.entry) if position.qty else "",
        "upl": plain(position.unrealised),
        "uplRatio": fixed(ratio, 6),
        "uplLastPx": plain(position.unrealised),
        "uplRatioLastPx": fixed(ratio, 6),
        "lever": plain(position.leverage),
        "liqPx": plain(liquidation) if position.qty and liquidation > 0 else "",
        "markPx": plain(position.mark),
        "last": last,
        "idxPx": plain(position.mark),
        "imr": plain(margin),
        "mmr": plain(position.maintenance_margin),
        "margin": "",
        "mgnRatio": "",
        "notionalUsd": plain(value),
        "ccy": "USDT",
        "interest": "",
        "tradeId": "",
        "adl": "2" if position.qty else "",
        "liab": "",
        "liabCcy": "",
        "optVal": "",
        "bePx": plain(position.entry) if position.qty else "",
        "usdPx": "",
        "realizedPnl": plain(position.realised),
        "pnl": plain(position.realised),
        "fee": "0",
        "fundingFee": "0",
        "liqPenalty": "0",
        "closeOrderAlgo": [],
        "pendingCloseOrdLiabVal": "",
        "baseBal": "",
        "baseBorrowed": "",
        "baseInterest": "",
        "quoteBal": "",
        "quoteBorrowed": "",
        "quoteInterest": "",
        "bizRefId": "",
        "bizRefType": "",
        "spotInUseAmt": "",
        "spotInUseCcy": "",
        "clSpotInUseAmt": "",
        "maxSpotInUseAmt": "",
        "deltaBS": "",
        "deltaPA": "",
        "gammaBS": "",
        "gammaPA": "",
        "thetaBS": "",
        "thetaPA": "",
        "vegaBS": "",
        "vegaPA": "",
        "nonSettleAvgPx": "",
        "settledPnl": "",
        "cTime": str(position.opened_ms or position.updated_ms),
        "uTime": str(position.updated_ms),
        "pTime": str(position.updated_ms),
    }


def balance_row(wallet: WalletState) -> Row:
    """Write the account as ``account/balance`` and channel ``account`` do."""
    used = wallet.position_margin + wallet.order_margin
    ratio = (
        plain((wallet.equity / wallet.maintenance_margin).quantize(Decimal("1e-8")))
        if (wallet.maintenance_margin)
        else ""
    )
    equity, stamp = plain(wallet.equity), str(wallet.updated_ms)
    return {
        "uTime": stamp,
        "totalEq": equity,
        "adjEq": equity,
        "availEq": plain(wallet.available),
        "isoEq": "0",
        "ordFroz": plain(wallet.order_margin),
        "imr": plain(used),
        "mmr": plain(wallet.maintenance_margin),
        "mgnRatio": ratio,
        "notionalUsd": "",
        "notionalUsdForBorrow": "",
        "notionalUsdForFutures": "",
        "notionalUsdForOption": "",
        "notionalUsdForSwap": "",
        "borrowFroz": "",
        "upl": plain(wallet.unrealised),
        "details": [
            {
                "ccy": "USDT",
                "eq": equity,
                "cashBal": plain(wallet.balance),
                "uTime": stamp,
                "isoEq": "0",
                "availEq": plain(wallet.available),
                "disEq": equity,
                "fixedBal": "0",
                "availBal": plain(wallet.available),
                "frozenBal": plain(used),
                "ordFrozen": plain(wallet.order_margin),
                "liab": "",
                "upl": plain(wallet.unrealised),
                "uplLiab": "",
                "crossLiab": "",
                "isoLiab": "",
                "mgnRatio": ratio,
                "interest": "",
                "twap": "0",
                "maxLoan": "",
                "eqUsd": equity,
                "borrowFroz": "",
                "notionalLever": "0",
                "stgyEq": "0",
                "isoUpl": "0",
                "spotInUseAmt": "",
                "clSpotInUseAmt": "",
                "maxSpotInUseAmt": "",
                "spotIsoBal": "0",
                "imr": plain(used),
                "mmr": plain(wallet.maintenance_margin),
                "smtSyncEq": "0",
                "coinUsdPrice": "1",
                "collateralEnabled": False,
                "rewardBal": "0",
                "accAvgPx": "",
                "openAvgPx": "",
                "spotBal": "",
                "spotUpl": "",
                "spotUplRatio": "",
                "totalPnl": "",
                "totalPnlRatio": "",
                "spotCopyTradingEq": "0",
            }
        ],
    }


def funding_bill(payment: FundingPayment, contract: Contract, balance: Decimal) -> Row:
    """Write a settlement as ``account/bills`` does: type 8; subtype 173 paid, 174 received."""
    return _bill(contract) | {
        "bal": plain(balance),
        "balChg": plain(payment.amount),
        "billId": payment.payment_id,
        "pnl": plain(payment.amount),
        "px": plain(payment.mark),
        "sz": size(contract, abs(payment.qty)),
        "subType": "174" if payment.amount > 0 else "173",
        "type": "8",
        "ts": str(payment.ts_ms),
        "fillTime": str(payment.ts_ms),
    }


def trade_bill(fill: PracticeFill, contract: Contract, balance: Decimal) -> Row:
    """Write a fill as ``account/bills`` does: type 2."""
    return _bill(contract) | {
        "bal": plain(balance),
        "balChg": plain(fill.realised - fill.fee),
        "billId": fill.trade_id,
        "fee": plain(-fill.fee),
        "pnl": plain(fill.realised),
        "px": plain(fill.price),
        "sz": size(contract, fill.qty),
        "subType": "1" if fill.side is Side.BUY else "2",
        "type": "2",
        "execType": "M" if fill.maker else "T",
        "ordId": fill.order_id,
        "clOrdId": fill.client_id,
        "tradeId": fill.trade_id,
        "ts": str(fill.ts_ms),
        "fillTime": str(fill.ts_ms),
    }


def _bill(contract: Contract) -> Row:
    names = (
        "clOrdId", "execType", "fillFwdPx", "fillIdxPx", "fillMarkPx", "fillMarkVol", "fillPxUsd",
        "fillPxVol", "from", "notes", "ordId", "tag", "to", "tradeId",
    )  # fmt: skip
    return dict.fromkeys(names, "") | {
        "ccy": "USDT",
        "fee": "0",
        "instId": contract.venue_symbol,
        "instType": "SWAP",
        "interest": "0",
        "mgnMode": "cross",
        "posBal": "0",
        "posBalChg": "0",
    }
