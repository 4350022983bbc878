"""What is known after a request: only what is proved."""

from __future__ import annotations

import itertools

import pytest

from core.model.order import Outcome
from exchanges.outcome import Reply, judge
from exchanges.venue import RULES

ACCEPTED = {
    "bybit": '{"retCode":0,"retMsg":"OK","result":{"orderId":"1321003749386327552",'
    '"orderLinkId":"spot-test-postonly"},"retExtInfo":{},"time":1672211918471}',
    "binance": '{"orderId":22542179,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"T1",'
    '"price":"0","avgPrice":"0.0","origQty":"10","executedQty":"0"}',
    "okx": '{"code":"0","msg":"","data":[{"ordId":"312269865356374016","clOrdId":"b15","tag":"",'
    '"sCode":"0","sMsg":"Order placed"}],"inTime":"1","outTime":"2"}',
}
REFUSED = {
    "bybit": '{"retCode":110007,"retMsg":"ab not enough for new order","result":{}}',
    "binance": '{"code":-2019,"msg":"Margin is insufficient."}',
    "okx": '{"code":"1","msg":"All operations failed","data":[{"ordId":"","clOrdId":"b15",'
    '"sCode":"51008","sMsg":"Insufficient USDT margin"}]}',
}
DUPLICATE = {
    "bybit": '{"retCode":110072,"retMsg":"OrderLinkedID is duplicate","result":{}}',
    "binance": '{"code":-4116,"msg":"ClientOrderId is duplicated."}',
    "okx": '{"code":"1","msg":"","data":[{"ordId":"","clOrdId":"b15","sCode":"51016",'
    '"sMsg":"Duplicated client order ID"}]}',
}
PERHAPS = {
    "bybit": '{"retCode":10016,"retMsg":"Server error","result":{}}',
    "binance": '{"code":-1007,"msg":"Timeout waiting for response from backend server."}',
    "okx": '{"code":"50004","msg":"Endpoint request timeout","data":[]}',
}
venues = pytest.mark.parametrize("venue", list(RULES))


def outcome(venue: str, reply: Reply) -> Outcome:
    rules = RULES[venue]()
    return judge(reply, rules.read, rules.refusals).outcome


@venues
def test_an_id_is_acceptance(venue: str) -> None:
    rules = RULES[venue]()
    verdict = judge(Reply(True, 200, {}, ACCEPTED[venue]), rules.read, rules.refusals)
    assert verdict.outcome is Outcome.ACCEPTED
    assert verdict.venue_id in ACCEPTED[venue]
    assert verdict.venue_id.isdigit()


@venues
def test_every_truncation_of_an_acceptance_is_unknown(venue: str) -> None:
    body = ACCEPTED[venue]
    for length in range(len(body)):
        assert outcome(venue, Reply(True, 200, {}, body[:length])) is Outcome.UNKNOWN, length


@venues
@pytest.mark.parametrize("body", ["", "[]", "{}", "null", "<html><body>Bad</body></html>", '"ok"'])
def test_a_reply_that_says_nothing_is_unknown(venue: str, body: str) -> None:
    assert outcome(venue, Reply(True, 200, {}, body)) is Outcome.UNKNOWN


@venues
def test_a_listed_refusal_is_a_refusal_and_the_rest_is_unknown(venue: str) -> None:
    status = 400 if venue == "binance" else 200
    assert outcome(venue, Reply(True, status, {}, REFUSED[venue])) is Outcome.REJECTED
    assert outcome(venue, Reply(True, status, {}, PERHAPS[venue])) is Outcome.UNKNOWN
    assert outcome(venue, Reply(True, 503, {}, REFUSED[venue])) is Outcome.UNKNOWN


@venues
def test_a_duplicate_id_may_mean_that_the_first_try_arrived(venue: str) -> None:
    assert outcome(venue, Reply(True, 200, {}, DUPLICATE[venue])) is Outcome.UNKNOWN


@venues
def test_without_a_reply_only_the_first_byte_counts(venue: str) -> None:
    for sent, fault in itertools.product((True, False), ("timeout", "reset", "refused", "dns")):
        expected = Outcome.UNKNOWN if sent else Outcome.NOT_SENT
        assert outcome(venue, Reply(sent, None, {}, "", fault)) is expected


@venues
@pytest.mark.parametrize("status", [500, 502, 503, 504, 302])
def test_a_status_that_is_no_answer_is_unknown(venue: str, status: int) -> None:
    assert outcome(venue, Reply(True, status, {}, ACCEPTED[venue])) is Outcome.UNKNOWN
    assert outcome(venue, Reply(True, status, {}, "<html/>")) is Outcome.UNKNOWN


@venues
def test_a_rate_limit_did_not_place_the_order(venue: str) -> None:
    assert outcome(venue, Reply(True, 429, {}, "slow down")) is Outcome.REJECTED
