"""Client order ids: 24 characters of [A-Z0-9] that all three venues accept.

``K1`` instance(4) epoch(2) sequence(9) purpose(1) mac(6). The sequence counts intents, so an id is
a function of the journal; the epoch counts starts of the desk, so two desks on one account show;
the mac tells our own orders from others even after the loss of everything else. Bybit allows 36
characters of letters, digits, dash and underscore, OKX 32 letters and digits, Binance 36.
"""

from __future__ import annotations

from copy import copy
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from core.model.order import Purpose

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERS = {
    Purpose.ENTRY: "E",
    Purpose.EXIT: "X",
    Purpose.STOP: "S",
    Purpose.MANUAL: "M",
    Purpose.KILL: "K",
}
_PURPOSES = {letter: purpose for purpose, letter in _LETTERS.items()}
ID_LENGTH = 24
_VERSION = "K1"


class ClientId(Struct, frozen=True, gc=False):
    """The parts of one of our ids."""

    instance: str
    epoch: int
    seq: int
    purpose: Purpose


_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
"""All numbers of two digits in base 36."""
_HIGH = 1296
_CHARACTERS = bytes(ord(_ALPHABET[byte % 36]) for byte in range(256))
"""What each byte of a mac is written as."""


def _base36(value: int, pairs: int) -> str:
    text = ""
    for _ in range(pairs):
        value, pair = divmod(value, _HIGH)
        text = _PAIRS[pair] + text
    return text


class ClientIds:
    """Makes and recognises ids. Owned by the engine; the kill executor has its own.

    Two counters never collide as long as only one of them makes ids of a purpose: the engine never
    makes a KILL id, the kill executor makes no other.

    Args:
        instance: four characters of [A-Z0-9] naming this installation.
        epoch: number of this start; kept modulo 1296.
        key: secret of this installation, 16 to 64 bytes.
        seq: sequence number of the next id; ``Ledger.next_seq`` after a replay.

    Raises:
        ValueError: the instance is not four characters of [A-Z0-9], or the key is too short.
    """

    def __init__(self, instance: str, epoch: int, key: bytes, seq: int = 1) -> None:
        if len(instance) != 4 or any(c not in _ALPHABET for c in instance):
            raise ValueError(f"instance {instance!r}: four characters of A-Z and 0-9 are expected")
        if not 16 <= len(key) <= 64:
            raise ValueError("key: 16 to 64 bytes are expected")
        self.instance = instance
        self.epoch = epoch % 1296
        self.seq = seq
        self._above = -1
        self._head = ""
        self._mac = blake2b(key=key, digest_size=6)
        self._mac.update(b".")  # past the key's own block, which is hashed here and not each time
        self._prefix = _VERSION + instance + _PAIRS[self.epoch]

    def __deepcopy__(self, memo: dict[int, Any]) -> ClientIds:
        twin = copy(self)  # the keyed hash is only ever copied, never fed
        memo[id(self)] = twin
        return twin

    def next(self, purpose: Purpose) -> str:
        """Return the next id and count it."""
        above, below = divmod(self.seq, _HIGH)
        if above != self._above:
            self._above = above
            self._head = self._prefix + _base36(above, 4)[1:]
        self.seq += 1
        body = self._head + _PAIRS[below] + _LETTERS[purpose]
        return body + self._sign(body)

    def read(self, client_id: str) -> ClientId | None:
        """Return the parts of an id of this installation; None for anyone else's."""
        if len(client_id) != ID_LENGTH or not client_id.startswith(_VERSION):
            return None
        body, mac = client_id[:18], client_id[18:]
        if body[17] not in _PURPOSES or any(c not in _ALPHABET for c in body):
            return None
        if self._sign(body) != mac:
            return None
        return ClientId(body[2:6], int(body[6:8], 36), int(body[8:17], 36), _PURPOSES[body[17]])

    def _sign(self, body: str) -> str:
        mac = self._mac.copy()
        mac.update(body.encode())
        return mac.digest().translate(_CHARACTERS).decode()


def sequence(client_id: str) -> int:
    """Return the sequence number inside an id, without checking whose it is; 0 if not an id."""
    number = client_id[8:17]
    if len(client_id) != ID_LENGTH or not (number.isascii() and number.isalnum()):
        return 0
    return int(number, 36)
