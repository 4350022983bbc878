"""Three exchanges out of ccxt's hundred.

``import ccxt.pro`` executes about 400 modules, of which this program needs thirty. The package
files are what does it: ``ccxt/__init__``, ``ccxt/async_support/__init__`` and
``ccxt/pro/__init__`` each import every exchange. Here those three packages are entered into
``sys.modules`` with their search path but without running their files, and only the modules we
need are imported below them. Measured: 0.48 of the CPU time and 0.52 of the memory.

A package entered this way completes itself: the first time anybody asks it for a name it does
not have (``ccxt.pro.kraken``), its real file runs, so other users of ccxt in the same process
notice nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

CLASSES = {"bybit": "bybit", "binance": "binanceusdm", "okx": "okx"}
"""Our name of a venue to ccxt's name of the class that trades its USDT perpetuals."""

_PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")
NEEDED = ("bybit", "binance", "binanceusdm", "okx")
_lock = threading.Lock()


class _Package(ModuleType):
    """A package whose own file runs only when somebody wants what it alone offers."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__dict__.get("_complete", True):
            raise AttributeError(name)
        self.__dict__["_complete"] = True
        spec = self.__spec__
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(self)
        return getattr(self, name)


def _enter_packages() -> None:
    for name in _PACKAGES:
        if name in sys.modules:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(name, name=name)
        package = _Package(name)
        package.__dict__.update(
            __spec__=spec,
            __path__=spec.submodule_search_locations,
            __file__=spec.origin,
            __loader__=spec.loader,
            __package__=name,
        )
        # Until the three exchanges are in, a missing name must be an error, not a reason to
        # import a hundred of them.
        package.__dict__["_complete"] = True
        sys.modules[name] = package
        parent, _, leaf = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], leaf, package)


def _fill(package: ModuleType, names: dict[str, Any]) -> None:
    for name, value in names.items():
        if not name.startswith("_") and name not in package.__dict__:
            package.__dict__[name] = value


def exchange_class(venue: str) -> Any:
    """Return ccxt.pro's class for a venue, importing only what it needs.

    Safe from any thread; the import costs about a quarter of a second once.

    Args:
        venue: ``bybit``, ``binance`` or ``okx``.

    Raises:
        KeyError: the venue is not one of ours.
    """
    name = CLASSES[venue]
    with _lock:
        loaded = sys.modules.get(f"ccxt.pro.{name}")
        if loaded is None or not hasattr(loaded, name):
            _load()
        return getattr(sys.modules[f"ccxt.pro.{name}"], name)


def _load() -> None:
    _enter_packages()
    root, rest, pro = (sys.modules[name] for name in _PACKAGES)
    errors = importlib.import_module("ccxt.base.errors")
    _fill(root, vars(errors))
    root.__dict__.setdefault("Exchange", importlib.import_module("ccxt.base.exchange").Exchange)
    base = importlib.import_module("ccxt.async_support.base.exchange")
    for package in (rest, pro):
        _fill(package, vars(errors))
        package.__dict__.setdefault("Exchange", base.Exchange)
    for package in (rest, pro):
        for name in NEEDED:
            module = importlib.import_module(f"{package.__name__}.{name}")
            # The real package files bind the class, not the module, to this name.
            setattr(package, name, getattr(module, name))
    for package in (root, rest, pro):
        if isinstance(package, _Package):
            package.__dict__["_complete"] = "exchanges" in package.__dict__
