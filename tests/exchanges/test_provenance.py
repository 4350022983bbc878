"""No key goes to a ccxt that is not the pinned one, nor to a host that is not the venue's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from core.errors import ConfigError, SafetyRefusal, VenueUnavailable
from core.secrets import Secret
from exchanges import provenance
from exchanges.access import Access, check_routes
from exchanges.lean import exchange_class
from exchanges.provenance import VERSION, WHEEL, check_ccxt, check_classes, check_files
from exchanges.venue import open_gateway
from tests.web import serving

ROOT = Path(__file__).parents[2]
MAKE = "from core.secrets import Secret\nfrom exchanges.access import Access, build_exchange\n"
ASK = "build_exchange('okx', Access('testnet', Secret('k'), Secret('s'), Secret('p')))\n"


def site() -> Path:
    spec = importlib.util.find_spec("ccxt")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


def run(code: str, *before: Path) -> str:
    """Return what a process of its own says, with folders before all others on its path."""
    path = os.pathsep.join(map(str, (*before, ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_pinned_ccxt_is_what_is_installed_here() -> None:
    check_ccxt()
    assert f'"ccxt=={VERSION}"' in (ROOT / "pyproject.toml").read_text()


def test_a_package_that_shadows_ccxt_is_refused_before_its_code_runs(tmp_path: Path) -> None:
    for room in ("ccxt", "ccxt/pro", "ccxt/async_support"):
        (tmp_path / room).mkdir()
        mark = tmp_path / "ran"
        (tmp_path / room / "__init__.py").write_text(f"open({str(mark)!r}, 'w')\n")
    (tmp_path / f"ccxt-{VERSION}.dist-info").mkdir()
    assert "is not the installed" in run(MAKE + ASK, tmp_path)
    (tmp_path / f"ccxt-{VERSION}.dist-info" / "RECORD").write_text("ccxt/__init__.py,,\n")
    said = run(MAKE + ASK, tmp_path)
    assert "SafetyRefusal" in said
    assert "is not that of ccxt" in said
    assert not mark.exists()


def test_the_program_says_it_in_a_line_and_ends_as_refused(tmp_path: Path) -> None:
    (tmp_path / "ccxt").mkdir()
    (tmp_path / "ccxt" / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "--no-ui", "--env", "testnet", "--for", "1s"],
        cwd=ROOT,
        env=os.environ
        | {
            "PYTHONPATH": str(tmp_path),
            "KILLCORD_HOME": str(tmp_path / "home"),
            "BYBIT_TESTNET_API_KEY": "k" * 18,
            "BYBIT_TESTNET_API_SECRET": "s" * 36,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "no key is handed to it" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another place with the same ccxt: of the package, what is used."""
    folder = tmp_path_factory.mktemp("site")
    info = f"ccxt-{VERSION}.dist-info"
    shutil.copytree(site() / info, folder / info)
    for path in (site() / "ccxt").rglob("*.py"):
        name = path.relative_to(site()).as_posix()
        if name.startswith(provenance._USED):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / name)
    return folder


@pytest.mark.parametrize("name", ["pro/okx.py", "async_support/base/exchange.py"])
def test_a_file_that_another_package_wrote_over_is_refused(copied: Path, name: str) -> None:
    check_files(copied, VERSION, WHEEL)
    path = copied / "ccxt" / name
    code = path.read_text()
    path.write_text(code + "\nstolen = True\n")
    try:
        with pytest.raises(SafetyRefusal, match=f"{name} was changed"):
            check_files(copied, VERSION, WHEEL)
    finally:
        path.write_text(code)


def test_another_version_names_what_it_found(copied: Path) -> None:
    with pytest.raises(SafetyRefusal, match="is not the installed"):
        check_files(copied, "4.5.91", WHEEL)
    with pytest.raises(SafetyRefusal, match=f"hash is {WHEEL}"):
        check_files(copied, VERSION, "another")


def test_a_class_that_came_from_elsewhere_is_refused() -> None:
    class Subtle(exchange_class("bybit")):  # type: ignore[misc]
        def describe(self) -> object:
            return {}

    with pytest.raises(SafetyRefusal, match="test_provenance comes from"):
        check_classes(site(), [Subtle])
    check_classes(site(), [exchange_class("bybit")])


@pytest.mark.parametrize("method", ["sign", "fetch", "describe"])
def test_a_method_that_was_put_into_a_class_is_refused(method: str) -> None:
    patch = (
        "from exchanges.lean import exchange_class\n"
        "kind = next(k for k in exchange_class('okx').__mro__ if %r in vars(k))\n"
        "setattr(kind, %r, lambda self, *more: None)\n"
    )
    assert f".{method} was replaced" in run(MAKE + patch % (method, method) + ASK)


@pytest.mark.parametrize("environment", ["testnet", "live"])
@pytest.mark.parametrize(
    "url", ["https://api.bybit.com.example.org", "https://evilbybit.com", "https://10.0.0.1"]
)
def test_a_host_that_is_not_the_venues_is_refused(environment: str, url: str) -> None:
    with pytest.raises(ConfigError, match="is none of the venue's"):
        check_routes("bybit", environment, {"private": url})


async def test_a_redirect_leads_nowhere_else() -> None:
    followed: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://localhost:{request.url.port}/elsewhere")

    async def elsewhere(request: web.Request) -> web.Response:
        followed.append(request.path)
        return web.json_response({"retCode": 0})

    routes = {"/bybit/v5/market/time": redirect, "/elsewhere": elsewhere}
    async with serving(routes) as base:
        access = Access("practice", Secret("k" * 24), Secret("s" * 48), Secret(""), base)
        gateway = open_gateway("bybit", access)
        try:
            with pytest.raises(VenueUnavailable, match="localhost is none of the hosts"):
                await gateway.line.synchronise(1)
        finally:
            await gateway.close()
    assert followed == []
