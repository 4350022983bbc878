from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import UsageError
from sentiment import lexicon, training
from sentiment.evaluation import evaluate, read_labelled
from sentiment.offline import OfflineEngine
from sentiment.scorer import LABELS, ModelUnavailable, Score

SHARED = Path(os.environ.get("KILLCORD_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
HEADLINES = SHARED / "headlines"
ENGINE = OfflineEngine.load()


def judge(text: str) -> Score:
    (score,) = ENGINE.score([text])
    assert score is not None
    return score


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("SEC approves spot ether ETF", "positive"),
        ("Lawmakers lift ban on crypto payments", "positive"),
        ("Startup closes $75M round to build Bitcoin payments", "positive"),
        ("Hackers make off with $40M from yield protocol", "negative"),
        ("Regulator bans exchange from taking new customers", "negative"),
        ("Solana tumbles 14% as exploit rattles traders", "negative"),
        ("What is a blockchain oracle?", "neutral"),
        ("Committee to hold hearing on stablecoins next week", "neutral"),
        ("Five charts to watch this week", "neutral"),
    ],
)
def test_plain_cases(text: str, label: str) -> None:
    assert judge(text).label == label


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("Bitcoin rises", "Bitcoin falls"),
        ("Court lifts ban on crypto trading", "Court upholds ban on crypto trading"),
        ("Exchange resumes withdrawals", "Exchange halts withdrawals"),
        ("Fears of crypto crackdown ease", "Fears of crypto crackdown grow"),
        ("Judge dismisses lawsuit against token issuer", "Judge allows lawsuit against issuer"),
        ("Ether fund inflows climb", "Ether fund outflows climb"),
        ("Bitcoin gains as dollar falls", "Bitcoin falls as dollar gains"),
        ("Bitcoin gains despite outflows", "Bitcoin falls despite inflows"),
    ],
)
def test_a_word_that_turns_the_news_turns_the_score(better: str, worse: str) -> None:
    assert judge(better).value > judge(worse).value + 0.2


def test_probabilities_are_probabilities() -> None:
    texts, _ = training.read_headlines()
    for score in ENGINE.score(texts[::7]):
        assert score is not None
        assert sum(score.probabilities) == pytest.approx(1.0)
        assert min(score.probabilities) > 0
        assert 0 <= score.confidence <= 1
        assert score.label == LABELS[score.probabilities.index(max(score.probabilities))]
        assert (score.engine, score.hash) == ("offline", ENGINE.hash)


@pytest.mark.parametrize("text", ["", "   ", "!!!", "42 %", "🚀🚀", "$5 (3)"])
def test_no_text_no_score(text: str) -> None:
    assert ENGINE.score([text]) == [None]


def test_nothing_known_is_held_for_neutral_or_unsure_not_for_a_view() -> None:
    assert abs(judge("Zorblax quuxing the frobnicator").value) < 0.35


@pytest.mark.parametrize(
    "family",
    [("surge", "surges", "surged", "surging"), ("plan", "plans", "planned", "planning"),
     ("rally", "rallies", "rallied"), ("crash", "crashes", "crashed", "crashing"),
     ("raise", "raises", "raised", "raising"), ("fall", "falls", "fell", "fallen")],
)  # fmt: skip
def test_forms_of_a_word_are_one_stem(family: tuple[str, ...]) -> None:
    assert len({lexicon.stem(word) for word in family}) == 1


def test_the_asset_named_does_not_sway_the_score() -> None:
    values = {judge(f"{name} gains on strong demand").value for name in ("Cardano", "Tezos", "XRP")}
    assert len(values) == 1


@pytest.mark.timeout(60)
def test_hostile_text_takes_no_time() -> None:
    """A pattern that goes back over its text would take hours, not the second that this may."""
    long = 100_000
    texts = ["$" * long, "a" * long, "1," * long, "hack " * long, "'&-" * long]
    assert len(ENGINE.score(texts)) == len(texts)


def test_our_headlines_are_many_varied_and_labelled() -> None:
    texts, labels = training.read_headlines()
    assert len(texts) >= 1_500
    assert len({text.lower() for text in texts}) == len(texts)
    assert min((labels == k).sum() for k in range(3)) >= 400


def test_training_again_gives_the_model_that_is_shipped() -> None:
    texts, labels = training.read_headlines()
    fitted = training.train(texts, labels)
    path = Path(training.__file__).with_name("data") / "model.json"
    shipped = json.loads(path.read_text(encoding="utf-8"))
    assert len(shipped["weights"]) > 1_000
    places = {name: index for index, name in enumerate(fitted.names)}
    for name, weights in shipped["weights"].items():
        ours = fitted.weights[places[name]] / training.TEMPERATURE
        assert ours == pytest.approx(weights, abs=2e-3), name


def test_a_model_of_another_lexicon_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from sentiment import offline

    read = offline._read

    def changed(name: str) -> str:
        return read(name) + ("\nup\t1\tfoo" if name == "lexicon.tsv" else "")

    monkeypatch.setattr(offline, "_read", changed)
    with pytest.raises(ModelUnavailable, match="another lexicon"):
        OfflineEngine.load()


def test_scoring_needs_neither_numpy_nor_torch_and_little_memory() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc")
    code = (
        "import re, sys\n"
        "from sentiment.scorer import open_engine\n"
        "texts = [f'Exchange {n} halts withdrawals after hack {n}' for n in range(20_000)]\n"
        "open_engine().score(texts)\n"
        "assert not {'numpy', 'torch', 'transformers', 'asyncio'} & set(sys.modules)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) < 130 * 1024


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("UNSTATED_cryptolin_crypto_news.csv.gz", 0.62),
        ("twitter_financial_news.csv.gz", 0.57),
        ("NONCOMMERCIAL_financial_phrasebank_50agree.csv.gz", 0.57),
        ("UNSTATED_fiqa2018_task1.csv.gz", 0.51),
    ],
)
def test_headlines_of_others_are_judged_as_documented(name: str, least: float) -> None:
    path = HEADLINES / name
    if not path.exists():
        pytest.skip("the labelled headline sets are not here")
    result = evaluate(ENGINE, path)
    assert result.macro_f1 >= least
    assert result.interval[0] < result.macro_f1 < result.interval[1]
    assert result.calibration_error < 0.06
    assert sum(map(sum, result.confusion)) == result.headlines
    # 2,000 a second is asked for; 12,000 were measured. Half the demand, for a busy machine.
    assert result.per_second > 1_000


def test_no_training_headline_stands_in_an_evaluation_set() -> None:
    files = sorted(HEADLINES.glob("*.csv.gz"))
    if not files:
        pytest.skip("the labelled headline sets are not here")
    from sentiment.articles import normalise

    ours = {normalise(text) for text in training.read_headlines()[0]}
    for path in files:
        theirs = {normalise(text) for text, _ in read_labelled(path)}
        assert not ours & theirs


def test_evaluation_counts_right(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text(
        "text,label\nBitcoin crashes after hack,negative\nBitcoin soars to record,negative\n"
        '"What is staking, really?",neutral\n!!!,neutral\nBitcoin soars to record,positive\n'
    )
    result = evaluate(ENGINE, path)
    assert result.confusion == ((1, 0, 1), (0, 2, 0), (0, 0, 1))
    assert result.accuracy == pytest.approx(4 / 5)
    assert result.macro_f1 == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert result.unscored == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"title,score\nx,1\n", "columns text and label"),
        (b"text,label\nx,bullish\n", "bullish"),
        (b"text,label\n", "no headline"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_files_that_are_no_labelled_headlines(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_labelled(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_labelled(tmp_path / "none.csv.gz")
