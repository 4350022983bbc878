"""The OS keyring, asked in a child process with a time limit.

keyring can hang on a locked collection that waits for a window nobody sees, and on a machine
without a desktop it may quietly choose a backend that writes plain text. So it is never imported
into the program: this module runs itself as a child (``python -m core.vault``), speaks one JSON
request and one JSON reply, and accepts only backends that really keep secrets.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import KillcordError
from core.secrets import Secret

TIME_LIMIT = 5.0
"""Seconds; an unlocked Secret Service answers in under 0.5 s."""

SAFE_BACKENDS = frozenset(
    {
        "keyring.backends.macOS.Keyring",
        "keyring.backends.Windows.WinVaultKeyring",
        "keyring.backends.SecretService.Keyring",
        "keyring.backends.libsecret.Keyring",
        "keyring.backends.kwallet.DBusKeyring",
    }
)


class VaultUnavailable(KillcordError):
    """There is no OS keyring to use; the text says why and what else there is."""


class Vault:
    """Named secrets of one home folder in the OS keyring.

    Args:
        service: the keyring's service name; homes with different names never see each other.
    """

    def __init__(self, service: str) -> None:
        self.service = service

    def fetch(self, names: Iterable[str]) -> dict[str, Secret]:
        """Return those of ``names`` that are stored.

        Raises:
            VaultUnavailable: no safe backend, or none that answers in time.
        """
        found = self._ask({"do": "fetch", "names": list(names)})
        return {name: Secret(text) for name, text in found.items()}

    def store(self, entries: Mapping[str, Secret]) -> str:
        """Store entries, replacing older ones; return the backend's name.

        Raises:
            VaultUnavailable: no safe backend, or none that answers in time.
        """
        plain = {name: secret.reveal() for name, secret in entries.items()}
        return str(self._ask({"do": "store", "entries": plain})["backend"])

    def remove(self, names: Iterable[str]) -> None:
        """Remove entries; one that is not there is no error.

        Raises:
            VaultUnavailable: no safe backend, or none that answers in time.
        """
        self._ask({"do": "remove", "names": list(names)})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        request["service"] = self.service
        try:
            child = subprocess.run(
                [sys.executable, "-m", "core.vault"],
                input=json.dumps(request),
                capture_output=True,
                text=True,
                timeout=TIME_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise VaultUnavailable(
                f"the OS keyring did not answer in {TIME_LIMIT:g} s: unlock it, or put testnet keys"
                " in environment variables"
            ) from None
        try:
            reply = json.loads(child.stdout)
        except ValueError:
            raise VaultUnavailable("the OS keyring failed without saying why") from None
        if problem := reply.get("problem"):
            raise VaultUnavailable(problem)
        return dict(reply)


def _safe_backend() -> Any:
    import keyring
    from keyring.backends.chainer import ChainerBackend

    chosen = keyring.get_keyring()
    members = chosen.backends if isinstance(chosen, ChainerBackend) else [chosen]
    names = [f"{type(member).__module__}.{type(member).__qualname__}" for member in members]
    for name, member in zip(names, members, strict=True):
        if name in SAFE_BACKENDS:
            return member
    found = ", ".join(names) or "none"
    raise VaultUnavailable(
        f"no OS keyring that keeps secrets safe was found (found: {found}); on a server put testnet"
        " keys in environment variables"
    )


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    backend, service = _safe_backend(), request["service"]
    if request["do"] == "fetch":
        texts = {name: backend.get_password(service, name) for name in request["names"]}
        return {name: text for name, text in texts.items() if text}
    if request["do"] == "store":
        for name, text in request["entries"].items():
            backend.set_password(service, name, text)
        return {"backend": type(backend).__module__.rpartition(".")[2]}
    for name in request["names"]:
        if backend.get_password(service, name) is not None:
            backend.delete_password(service, name)
    return {}


def _serve() -> None:
    try:
        reply = _answer(json.load(sys.stdin))
    except VaultUnavailable as error:
        reply = {"problem": str(error)}
    except Exception as error:
        # Only the class: a backend's message could carry what it was asked to store.
        reply = {
            "problem": f"the OS keyring failed: {type(error).__name__}; unlock it and try again"
        }
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    _serve()
