"""The one file that wires core, exchanges, sentiment and what a person touches together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from core.config import Config
from core.desk.desk import Desk
from core.desk.origin import MarketFacts
from core.errors import UsageError
from core.home import Home
from core.keys import Credentials
from core.secrets import Secret
from exchanges.access import Access
from exchanges.kill import open_kill_gateway
from exchanges.venue import VenueGateway, open_gateway
from sentiment.companion import Companion
from tui.access import access, practice_accesses, venue_accesses
from tui.build import build
from tui.guard import start as start_guard
from tui.practice import PracticeServer


def practice_desk(config: Config, home: Home, server: PracticeServer) -> Desk:
    """Build a desk on the practice exchange; call it on the loop that will run it."""

    def facts() -> MarketFacts:
        status = server.status()
        return MarketFacts(status["market"], status["recording"])

    recorded = server.status()["recording"].get("symbols")
    if recorded:
        # A recording lists what was recorded; of the symbols asked for, those can be traded.
        wanted = [symbol for symbol in config.symbols if symbol in recorded]
        config = config.model_copy(update={"symbols": tuple(wanted or recorded)})
    return _desk(config, home, practice_accesses(config.venues, server), facts)


def venue_desk(config: Config, home: Home) -> Desk:
    """Build a desk on testnets or live venues; venues without keys are left out, and it says so.

    Raises:
        UsageError: no venue has keys.
        KeyRefused: keys come from where they must not.
    """
    environment = config.environment
    accesses = venue_accesses(config.venues, environment, home)
    if not accesses:
        raise UsageError(
            f"no {environment} keys: add them with"
            f" `killcord keys add {config.venues[0]} --env {environment}`,"
            " or trade without any: `killcord --env practice`"
        )
    if missing := [venue for venue in config.venues if venue not in accesses]:
        names = ", ".join(missing)
        sys.stderr.write(f"killcord: left out for want of {environment} keys: {names}\n")
    return _desk(config, home, accesses, lambda: MarketFacts(environment))


def _desk(
    config: Config,
    home: Home,
    accesses: Mapping[str, Access],
    facts: Callable[[], MarketFacts],
) -> Desk:
    gateways = [open_gateway(venue, access) for venue, access in accesses.items()]
    kill_gateways = [open_kill_gateway(gateway) for gateway in gateways]
    news = Companion(config.news, config.analyst, home.news) if config.reads_news else None
    guard = (lambda: start_guard(home)) if config.guard.start else None
    return Desk(config, home, gateways, kill_gateways, facts, news=news, guard=guard, build=build())


def public_gateway(venue: str, environment: str, base: str) -> VenueGateway:
    """Return a gateway without a key, for what is public.

    Args:
        base: address of the practice exchange; empty elsewhere.
    """
    return open_gateway(venue, Access(environment, Secret(""), Secret(""), base=base))


async def check_key(venue: str, environment: str, keys: Credentials) -> str:
    """Connect once with a key and return the account it belongs to.

    Raises:
        VenueError: the venue does not answer, or not to this key.
        KeyRefused: the key can withdraw.
    """
    gateway = open_gateway(venue, access(environment, keys))
    try:
        return (await gateway.connect()).account
    finally:
        await gateway.close()
