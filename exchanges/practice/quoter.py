"""A market maker for one book: keeps anonymous levels around a moving best price.

It quotes at least ``DEPTH`` levels a side, refills what takers eat at its next move, and changes a
few levels each time, as a living book does.
"""

from __future__ import annotations

import math
import random

from core.matching.book import Book

DEPTH = 60
_MOST = 80
_REFRESH = 0.5


class Quoter:
    """The anonymous liquidity of one instrument at one venue.

    Args:
        book: to quote in.
        seed: text that seeds the sizes.
        touch: typical lots at the best level.
        gap: ticks between levels away from the touch.
    """

    def __init__(self, book: Book, seed: str, touch: float, gap: int) -> None:
        self._book = book
        self._random = random.Random(seed).random
        self._gauss = random.Random(seed + " sizes").gauss
        self._touch = math.log(max(touch, 1.0))
        self._gap = gap
        # Keys as in the book: tick * sign ascending, the best last.
        self._keys: dict[int, list[int]] = {1: [], -1: []}

    def move(self, bid: int, ask: int) -> None:
        """Quote around new best prices."""
        # First off with what the new prices cross, so that the sides never overlap.
        self._withdraw(1, bid)
        self._withdraw(-1, ask)
        self._quote(1, bid)
        self._quote(-1, ask)

    def _withdraw(self, sign: int, best: int) -> None:
        keys = self._keys[sign]
        key = best * sign
        while keys and keys[-1] > key:
            self._book.set_level(sign, keys.pop() * sign, 0)

    def _quote(self, sign: int, best: int) -> None:
        keys, book = self._keys[sign], self._book
        key = best * sign
        if not keys or keys[-1] != key:
            keys.append(key)
            book.set_level(sign, best, self._size(0))
        elif self._random() < _REFRESH or not book.anonymous_at(sign, best):
            book.set_level(sign, best, self._size(0))
        while len(keys) < DEPTH:
            # Away from the touch levels stand on multiples of the gap, as round prices do.
            tick = ((keys[0] - 1) // self._gap) * self._gap * sign
            if tick <= 0:
                break
            keys.insert(0, tick * sign)
            book.set_level(sign, tick, self._size(DEPTH))
        for _ in range(min(len(keys) - _MOST, 3)):
            book.set_level(sign, keys.pop(0) * sign, 0)
        place = int(self._random() * len(keys)) + 1
        book.set_level(sign, keys[-place] * sign, self._size(place))
        for key in keys[-4:-1]:
            if not book.anonymous_at(sign, key * sign):
                book.set_level(sign, key * sign, self._size(2))

    def _size(self, place: int) -> int:
        size = math.exp(self._gauss(self._touch, 0.8)) * (1 + place * 0.04)
        return max(int(size), 1)
