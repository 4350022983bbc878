from __future__ import annotations

import re

import pytest

from core.model.order import Purpose
from core.orders.ids import ClientIds, sequence

KEY = b"k" * 16


def test_an_id_is_24_characters_all_venues_accept_and_reads_back() -> None:
    ids = ClientIds("AB12", 1295, KEY, seq=36**9 - 2)
    for purpose in Purpose:
        if ids.seq >= 36**9:
            ids.seq = 1
        seq = ids.seq
        text = ids.next(purpose)
        assert re.fullmatch("[A-Z0-9]{24}", text)
        parts = ids.read(text)
        assert parts is not None
        assert (parts.instance, parts.epoch, parts.seq, parts.purpose) == (
            "AB12",
            1295,
            seq,
            purpose,
        )
        assert sequence(text) == seq


def test_ids_are_a_function_of_the_sequence_and_differ_by_epoch_and_key() -> None:
    def first(**changes: object) -> str:
        values = {"instance": "AB12", "epoch": 1, "key": KEY, "seq": 9} | changes
        return ClientIds(**values).next(Purpose.ENTRY)  # type: ignore[arg-type]

    assert first() == first()
    assert len({first(), first(epoch=2), first(key=b"x" * 16), first(seq=10)}) == 4


@pytest.mark.parametrize("position", range(24))
def test_a_changed_character_is_not_ours(position: int) -> None:
    ids = ClientIds("AB12", 7, KEY)
    text = ids.next(Purpose.STOP)
    for other in "0AZ":
        if other != text[position]:
            assert ids.read(text[:position] + other + text[position + 1 :]) is None


def test_what_others_send_is_not_ours() -> None:
    ids = ClientIds("AB12", 7, KEY)
    for text in ("", "K1", "x-cvBPrNm9abc", "k1" + "0" * 22, "K1" + "²" * 22, "K1" + "é" * 22):
        assert ids.read(text) is None
        assert sequence(text) == 0 or len(text) == 24


def test_bad_instance_and_short_key_are_refused() -> None:
    with pytest.raises(ValueError, match="instance"):
        ClientIds("ab12", 1, KEY)
    with pytest.raises(ValueError, match="key"):
        ClientIds("AB12", 1, b"short")
