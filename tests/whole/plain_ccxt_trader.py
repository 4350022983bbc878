# fmt: off
"""A stranger's bot: plain ccxt.pro, only URLs and keys differ. Usage: READY_FILE VENUE"""
# ruff: noqa: E401, E501, I001
import asyncio, json, sys
import ccxt.pro as ccxt
ready, name, symbol = json.load(open(sys.argv[1])), sys.argv[2], "BTC/USDT:USDT"
rest, ws, keys = ready["urls"][name]["rest"], ready["urls"][name]["ws"], ready["keys"][name]
urls = {"okx": {"rest": rest, "ws": ws}, "bybit": {"public": rest, "private": rest, "ws": {
    "public": {"linear": ws + "/v5/public/linear"}, "private": {"contract": ws + "/v5/private"}}},
    "binance": {"sapi": rest + "/sapi/v1", "fapiPublic": rest + "/fapi/v1",
        "fapiPrivate": rest + "/fapi/v1", "fapiPrivateV3": rest + "/fapi/v3", "ws": {"linear": ws + "/f/ws"}}}
config = {"apiKey": keys["api_key"], "secret": keys["secret"], "password": keys.get("passphrase"),
    "urls": {"api": urls[name]}, "options": {"defaultType": "swap", "fetchMarkets": {
        "types": ["swap" if name == "okx" else "linear"]}}}
async def trade():
    async with getattr(ccxt, "binanceusdm" if name == "binance" else name)(config) as venue:
        await venue.load_markets()
        size = 0.02 / venue.market(symbol)["contractSize"]
        seen = asyncio.create_task(venue.watch_my_trades(symbol))
        book = await venue.watch_order_book(symbol)
        await asyncio.gather(venue.watch_trades(symbol), venue.watch_ticker(symbol))
        while not seen.done():
            await venue.create_order(symbol, "market", "buy", size)
            await asyncio.wait([seen], timeout=5)
        held = (await venue.fetch_positions([symbol]))[0]["contracts"]
        await venue.create_order(symbol, "market", "sell", held, None, {"reduceOnly": True})
        left = sum(row["contracts"] or 0 for row in await venue.fetch_positions([symbol]))
        print(json.dumps({"bid": book["bids"][0][0], "fill": seen.result()[-1]["price"],
            "held": held, "left": left, "size": size}))
asyncio.run(trade())
