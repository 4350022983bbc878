from __future__ import annotations

import pytest

from sentiment.entities import MARKET, Assets

ASSETS = Assets.load()


def linked(title: str, **more: object) -> set[str]:
    return {link.asset for link in ASSETS.link(title, **more)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("title", "assets"),
    [
        ("Bitcoin and Ether slide as dollar gains", {"BTC", "ETH"}),
        ("BITCOIN HITS RECORD", {"BTC"}),
        ("Bitcoin's hashrate climbs", {"BTC"}),
        ("Bitcoin Cash forks again", {"BCH"}),
        ("Ethereum Classic suffers 51% attack", {"ETC"}),
        ("Wrapped Bitcoin supply shrinks", {"WBTC"}),
        ("Ripple wins partial victory against SEC over XRP", {"XRP"}),
        ("$SOL and $near lead gains", {"SOL", "NEAR"}),
        ("Pundit says Chainlink (LINK) is ready", {"LINK"}),
        ("LINK price analysis: bulls in charge", {"LINK"}),
        ("NEAR Protocol raises $150 million", {"NEAR"}),
        ("ONE/USDT breaks out", {"ONE"}),
        ("OPUSDT funding turns negative", {"OP"}),
        ("Avalanche launches a subnet for tokenized assets", {"AVAX"}),
        ("Maker votes to cut the stability fee on its DeFi protocol", {"MKR"}),
        ("The Graph protocol adds indexers", {"GRT"}),
        ("Stellar and Algorand join blockchain group", {"XLM", "ALGO"}),
        ("ETH-based fund opens", {"ETH"}),
        ("Dogecoin jumps after Musk's post", {"DOGE"}),
        ("Shiba Inu burn rate up 200%", {"SHIB"}),
        ("1inch launches wallet", {"1INCH"}),
        ("Polygon upgrades its zkEVM rollup", {"POL"}),
        ("Cosmos Hub validators vote", {"ATOM"}),
    ],
)
def test_assets_named(title: str, assets: set[str]) -> None:
    assert linked(title) - {MARKET} == assets


@pytest.mark.parametrize(
    "title",
    [
        "Regulators near a deal on stablecoins",
        "Analysts link hack to North Korean group",
        "One token to rule them all",
        "Whales flow into crypto funds",
        "Ski resort reopens after avalanche",
        "Scientists study a stellar nursery and the cosmos",
        "Op-ed: why the market is wrong",
        "Gas fees fall to a two-year low across the crypto market",
        "Investors draw a line in the sand",
        "Mining rigs run hot",
        "Compound interest explained",
        "Optimism returns to Wall Street",
        "Homebuyers render verdict",
        "Trump signs crypto order",
        "AI and ML jobs grow",
        "THE SEC AND ONE FLOW OF SAND",
        "Crypto maker of wallets files for IPO",
        "Costs $5, up from $1",
        "Neobank adds crypto",
        "Togethereum is not a coin",
    ],
)
def test_ordinary_words_are_no_assets(title: str) -> None:
    assert linked(title) <= {MARKET}


def test_market_wide_news_is_its_own_entity() -> None:
    assert linked("Crypto market sheds $100B in a day") == {MARKET}
    assert linked("Fed holds rates, Powell warns of inflation") == {MARKET}
    assert linked("SEC sues another exchange") == {MARKET}
    assert linked("Bitcoin leads as crypto market rebounds") == {"BTC", MARKET}
    assert linked("Bitcoin leads as stocks rebound") == {"BTC"}
    assert linked("Local bakery wins prize") == set()


def test_summary_and_source_fill_in_only_what_the_title_leaves_open() -> None:
    links = {it.asset: it for it in ASSETS.link("It keeps falling", "Solana lost 9% today.")}
    assert links["SOL"].relevance == 0.5
    links = {
        it.asset: it
        for it in ASSETS.link(
            "Bitcoin rallies",
            "Cardano too",
            [("ETH", 0.3), ("AAPL", 0.9), ("BTC", 0.1), ("bitcoin-cash", 1.0)],
        )
    }
    assert links["BTC"].relevance == 1.0
    assert links["ETH"].relevance == 0.3
    assert links["ETH"].by == "source"
    assert set(links) == {"BTC", "ETH", "BCH"}


def test_the_table_covers_a_hundred_assets_without_clashes() -> None:
    assert len(ASSETS.table) >= 100
    names = [name.lower() for it in ASSETS.table.values() for name in (*it.names, *it.proper)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("asset", sorted(ASSETS.table))
def test_every_asset_is_found_by_cashtag_pair_and_each_of_its_names(asset: str) -> None:
    assert asset in linked(f"Traders buy ${asset.lower()} again")
    assert asset in linked(f"{asset}/USDT opens higher")
    it = ASSETS.table[asset]
    for name in it.names:
        assert asset in linked(f"News on {name} today"), name
    for name in it.proper:
        assert asset in linked(f"{name} token unlock ahead"), name


def test_configuration_adds_and_overrides() -> None:
    own = Assets.load({"foo": ["foo network", "~Foo"], "SUI": ["mysten"], "BTC": ["ripple"]})
    assert [it.asset for it in own.link("Foo network goes live")] == ["FOO"]
    assert [it.asset for it in own.link("Foo airdrop begins")] == ["FOO"]
    assert [it.asset for it in own.link("Eating foo at home")] == []
    assert [it.asset for it in own.link("Mysten raises money")] == ["SUI"]
    assert [it.asset for it in own.link("Ripple token news")] == ["BTC"]
