"""Which assets a text is about.

The table ``data/assets.tsv`` holds one asset a line: its ticker, whether that ticker stands for
the asset wherever it appears in capitals (``sure``) or is a word or another thing as well
(``shy``), and its names. A name that is also an ordinary word or another company's carries ``~``:
it counts only when written with a capital in a text that is about crypto anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from msgspec import Struct

from core.model.news import MARKET


class AssetNames(Struct, frozen=True):
    """How one asset is written. ``proper`` names need a capital and a crypto text around them."""

    sure: bool
    names: tuple[str, ...]
    proper: tuple[str, ...] = ()


class Link(Struct, frozen=True):
    """A text's tie to an asset: relevance from 0 to 1, and what made the tie."""

    asset: str
    relevance: float
    by: str


_CONTEXT = re.compile(
    r"\b(?:crypto\w*|blockchains?|tokens?|tokeni[sz]\w+|altcoins?|coins?|memecoins?|stablecoins?"
    r"|de-?fi|nfts?|web3|dapps?|dex(?:es)?|dao|mainnet|testnet|on-?chain|staking|stak(?:ers|ed)"
    r"|validators?|airdrops?|layer[- ][12]|l[12]s?|rollups?|smart contracts?|wallets?|tvl"
    r"|hard fork|hashrate|halving|satoshi|bull run|whales?|binance|coinbase|kraken|okx|bybit"
    r"|ledger|usdt|protocol|bridge|liquidity pools?|perps?|etps?)\b",
    re.IGNORECASE,
)
_MARKET_WIDE = re.compile(
    r"\b(?:crypto(?:currenc(?:y|ies)|s)?(?: (?:market|sector|industry|prices|stocks|exchange"
    r"|regulation|assets|tax|firms|bill|funds|investors|traders|ban|crash|rally|winter)s?)?"
    r"|digital (?:asset|currenc)\w*|altcoins?|alt ?season|de-?fi|stablecoins?|nfts?|memecoins?"
    r"|blockchains?|web3|tokeni[sz](?:ed|ation)"
    r"|fomc|federal reserve|the fed|fed|powell|cpi|ppi|inflation"
    r"|rate (?:cut|hike)s?"
    r"|interest rates?|jobs report|payrolls|tariffs?|sec|cftc|mica|genius act|clarity act)\b",
    re.IGNORECASE,
)
_WORD_AFTER = r"(?=\s+(?:token|coin|price|network|blockchain|protocol|bulls|bears|whales|etf)s?\b)"
_EXPLICIT = re.compile(
    r"\$(?P<cashtag>[A-Za-z0-9]{1,10})\b"
    r"|\(\$?(?P<parenthesis>[A-Z0-9]{1,10})\)"
    r"|\b(?P<pair>[A-Z0-9]{1,10}?)(?:/USDT:USDT|[/-](?:USDT?|USDC|BTC|ETH|EUR)|USDT)\b"
)
_IMPLIED = re.compile(
    rf"\b(?P<qualified>[A-Z0-9]{{1,10}})\b{_WORD_AFTER}"
    r"|(?<![\w.&'-])(?P<ticker>[A-Z][A-Z0-9]{1,9})(?![\w&]|\.\w|-[A-Z])"
)


class Assets:
    """The table of assets, compiled. Linking one headline takes some tens of microseconds.

    Args:
        table: asset to its names.
    """

    def __init__(self, table: Mapping[str, AssetNames]) -> None:
        self._table = dict(table)
        plain = {name.lower(): asset for asset, it in table.items() for name in it.names}
        proper = {name: asset for asset, it in table.items() for name in it.proper}
        self._plain, self._proper = plain, proper
        self._plain_pattern = _any_of(plain, re.IGNORECASE)
        self._proper_pattern = _any_of(proper, 0)

    @property
    def table(self) -> Mapping[str, AssetNames]:
        """Every asset with its names."""
        return self._table

    @classmethod
    def load(cls, extra: Mapping[str, Sequence[str]] | None = None) -> Assets:
        """Return the built-in table with ``extra`` laid over it.

        Args:
            extra: asset to its names, ``~`` before a name that is an ordinary word too. A name
                given here belongs to this asset alone. An asset not in the table is added with a
                shy ticker: ``{"FOO": ["foo network", "~Foo"]}``.
        """
        table = dict(_built_in())
        for asset, names in (extra or {}).items():
            asset = asset.upper()
            known = table.get(asset, AssetNames(sure=False, names=()))
            added = _parse_names(names)
            taken = {name.lower() for name in (*added[0], *added[1])}
            for other, it in list(table.items()):
                table[other] = AssetNames(
                    it.sure,
                    tuple(name for name in it.names if name.lower() not in taken),
                    tuple(name for name in it.proper if name.lower() not in taken),
                )
            if asset in table:
                known = table[asset]
            table[asset] = AssetNames(
                known.sure, (*known.names, *added[0]), (*known.proper, *added[1])
            )
        return cls(table)

    def link(
        self, title: str, summary: str = "", stated: Iterable[tuple[str, float]] = ()
    ) -> tuple[Link, ...]:
        """Return the assets a text is about, most relevant first; ``MARKET`` when it is about all.

        An asset in the title weighs 1, one named only in the summary 0.5; what the source states
        counts with the source's own relevance where the text itself does not say more. A text
        about neither an asset of the table nor the market has no links.
        """
        found: dict[str, Link] = {}
        for asset, by in self._mentions(title):
            found.setdefault(asset, Link(asset, 1.0, by))
        for name, relevance in stated:
            asset = name.upper()
            if asset not in self._table:  # CoinGecko says "bitcoin-cash" for BCH
                asset = self._plain.get(name.lower().replace("-", " "), "")
            if asset and asset not in found and relevance > 0:
                found[asset] = Link(asset, min(1.0, relevance), "source")
        if not found:
            for asset, by in self._mentions(summary):
                found.setdefault(asset, Link(asset, 0.5, by))
        if not found or re.search(r"\bcrypto (?:market|prices|sector)s?\b", title, re.IGNORECASE):
            if _MARKET_WIDE.search(title):
                found[MARKET] = Link(MARKET, 1.0, "market")
            elif not found and _MARKET_WIDE.search(summary):
                found[MARKET] = Link(MARKET, 0.5, "market")
        return tuple(sorted(found.values(), key=lambda link: (-link.relevance, link.asset)))

    def _mentions(self, text: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []

        # What is recognised is blanked, so that "BTC" in "$BTC" or "ether" in "tether" is not
        # seen again as something less certain.
        def take_explicit(match: re.Match[str]) -> str:
            kind = str(match.lastgroup)
            asset = match[kind].upper()
            if asset not in self._table:
                return match[0]
            found.append((asset, kind))
            return " \x00 "

        def take_name(match: re.Match[str]) -> str:
            found.append((self._plain[match[0].lower()], "name"))
            return " \x00 "

        rest = self._plain_pattern.sub(take_name, _EXPLICIT.sub(take_explicit, text))
        if text.isupper():
            return found  # capitals tell nothing where everything is capitals
        for match in _IMPLIED.finditer(rest):
            kind = str(match.lastgroup)
            known = self._table.get(match[kind])
            if known is not None and (kind == "qualified" or known.sure):
                found.append((match[kind], kind))
        if found or _CONTEXT.search(text):
            found.extend(
                (self._proper[match[0]], "name in context")
                for match in self._proper_pattern.finditer(rest)
            )
        return found


def _any_of(names: Iterable[str], flags: int) -> re.Pattern[str]:
    # Longest first: "bitcoin cash" must win over "bitcoin".
    ordered = sorted(names, key=lambda name: (-len(name), name))
    choices = "|".join(re.escape(name) for name in ordered) or r"(?!)"
    return re.compile(rf"(?<![\w$-])(?:{choices})(?![\w]|-(?!based|backed|linked|themed))", flags)


def _parse_names(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    listed = [name.strip() for name in names if name.strip("~ ")]
    return (
        tuple(name for name in listed if not name.startswith("~")),
        tuple(name[1:] for name in listed if name.startswith("~")),
    )


def _built_in() -> dict[str, AssetNames]:
    table: dict[str, AssetNames] = {}
    text = files("sentiment").joinpath("data/assets.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        asset, ticker, names = line.split("\t")
        plain, proper = _parse_names(names.split("|"))
        table[asset] = AssetNames(ticker == "sure", plain, proper)
    return table
