"""What a headline is made of, as features: words, their categories, and how these combine.

The lexicon (``data/lexicon.tsv``) sorts some hundreds of stems into categories such as *up*,
*crime* or *process*, each with a valence from -3 to 3. A category generalises where a word seen
in no training headline cannot; pairs of categories carry turns such as "lifts ban" or "fails to
rally".
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Final

_TOKEN = re.compile(
    r"(?P<usd>[$€£¥]\s?\d[\d,.]*\s?(?:[kmbt]\b|bn\b|mn\b|thousand\b|million\b|billion\b|trillion\b)?)"
    r"|(?P<percent>[-+]?\d[\d,.]*\s?(?:%|percent\b|per cent\b))"
    r"|(?P<cashtag>\$[a-z][a-z0-9]*)"
    r"|(?P<number>\d[\d,.]*(?:[kmbtx]|st|nd|rd|th)?\b)"
    r"|(?P<word>[a-z]+(?:['&-][a-z]+)*)"
    r"|(?P<mark>[?!:;|])"
)
_URL = re.compile(r"https?://\S+|www\.\S+|@\w+")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": ";"})
_SMALL_WORDS = (
    "a an the of to in on for and is are was were be been as at by with from its it this that"
    " their his her our your my they we i you he she has have had or but than then so do does"
    " did us about just also"
)
_SMALL: Final = frozenset(_SMALL_WORDS.split())
_WH_WORDS = "how what why who when where which is are can could should will would do does did has"
_WH: Final = frozenset(_WH_WORDS.split())
_SPAN = 6
"""Words between two lexicon hits beyond which they are not read together."""


def tokenise(text: str) -> list[tuple[str, str]]:
    """Return (kind, token) pairs in lower case; amounts, shares and numbers become their kind.

    Names of assets become ``<asset>``: that Cardano gains is the same news as that Tezos gains.
    """
    text = _URL.sub(" ", text.translate(_QUOTES).lower())
    tokens: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "word":
            word = match[0]
            if word.endswith("'s"):
                word = word[:-2]
            tokens.append(("asset", "<asset>") if word in _asset_words() else (kind, word))
        elif kind == "mark":
            tokens.append((kind, match[0]))
        elif kind == "cashtag":
            tokens.append(("asset", "<asset>"))
        else:
            tokens.append((kind, f"<{kind}>"))
    return tokens


_IRREGULAR: Final = {
    "rose": "rise", "risen": "rise", "fell": "fall", "fallen": "fall", "sank": "sink",
    "sunk": "sink", "won": "win", "lost": "lose", "grew": "grow", "grown": "grow",
    "sold": "sell", "bought": "buy", "stole": "steal", "stolen": "steal", "led": "lead",
    "slid": "slide", "shrank": "shrink", "leapt": "leap", "dove": "dive", "shed": "shed",
    "said": "say", "saw": "see", "seen": "see", "made": "make", "took": "take", "began": "begin",
    "broke": "break", "broken": "break", "froze": "freeze", "frozen": "freeze", "went": "go",
    "gone": "go", "got": "get", "gave": "give", "held": "hold", "kept": "keep", "left": "leave",
    "paid": "pay", "brought": "bring", "built": "build", "came": "come", "ran": "run",
    "shut": "shut", "losses": "loss", "woes": "woe", "news": "news", "perps": "perp",
    "bankruptcies": "bankruptcy", "crises": "crisis", "flew": "fly",
}  # fmt: skip


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return a word without the endings of number, tense and person; not a dictionary form."""
    if (irregular := _IRREGULAR.get(word)) is not None:
        word = irregular
    elif len(word) > 4:
        if word.endswith("ies"):
            word = word[:-3] + "y"
        elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
            word = word[:-2]
        elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
        if len(word) > 5 and word.endswith("ing"):
            word = _undouble(word[:-3])
        elif len(word) > 4 and word.endswith("ied"):
            word = word[:-3] + "y"
        elif len(word) > 4 and word.endswith("ed") and not word.endswith("eed"):
            word = _undouble(word[:-2])
    elif len(word) == 4 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    # A silent e comes and goes with the endings: surge, surged, surging.
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _undouble(word: str) -> str:
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        return word[:-1]
    return word


_TURN_WORDS = "as after despite while amid amidst following even but though although because if"
_TURN: Final = frozenset(stem(word) for word in _TURN_WORDS.split())
"""Words that end the main clause: what follows is circumstance. "Gains as dollar falls"."""


class Entry:
    """What the lexicon knows of one stem or phrase."""

    __slots__ = ("categories", "valence")

    def __init__(self) -> None:
        self.categories: tuple[str, ...] = ()
        self.valence = 0.0


@lru_cache(maxsize=1)
def lexicon() -> dict[str, Entry]:
    """Return stem, or two stems joined by a space, to its entry. Loaded once."""
    table: dict[str, Entry] = {}
    for line in _data("lexicon.tsv"):
        category, valence, words = line.split("\t")
        for word in words.split():
            key = " ".join(stem(part) for part in word.split("_"))
            entry = table.setdefault(key, Entry())
            if category not in entry.categories:
                entry.categories = (*entry.categories, category)
            if abs(float(valence)) > abs(entry.valence):
                entry.valence = float(valence)
    return table


@lru_cache(maxsize=1)
def _asset_words() -> frozenset[str]:
    words = {"cryptocurrency-token"}
    for line in _data("assets.tsv"):
        asset, ticker, names = line.split("\t")
        if ticker == "sure":
            words.add(asset.lower())
        words.update(name for name in names.split("|") if " " not in name and name[0] != "~")
    return frozenset(words)


def _data(name: str) -> list[str]:
    text = files("sentiment").joinpath("data", name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def features(text: str) -> dict[str, float]:
    """Return the features of a headline, name to value; empty when there is nothing to judge.

    Names: ``w:`` a stem, ``b:`` two neighbouring stems, ``c:`` a category, ``p:`` a pair of
    categories in order, ``v:`` valence sums, ``s:`` shape.
    """
    tokens = tokenise(text)
    if not any(kind in {"word", "asset"} for kind, _ in tokens):
        return {}
    stems = [stem(token) if kind == "word" else token for kind, token in tokens]
    found: dict[str, float] = {}
    _add_words(found, tokens, stems)
    _add_categories(found, stems)
    _add_shape(found, text, tokens)
    return found


def _add_words(found: dict[str, float], tokens: list[tuple[str, str]], stems: list[str]) -> None:
    previous = "^"
    for (kind, token), root in zip(tokens, stems, strict=True):
        if kind == "mark":
            previous = token
            continue
        if token in _SMALL:
            continue
        found["w:" + root] = 1.0
        found[f"b:{previous} {root}"] = 1.0
        previous = root


def _add_categories(found: dict[str, float], stems: list[str]) -> None:
    table = lexicon()
    positive = negative = 0.0
    turned = False
    main = [0.0, 0.0]
    before: tuple[str, ...] = ()
    before_at = -99
    flip_until = -1
    position = 0
    while position < len(stems):
        step = 2
        entry = table.get(" ".join(stems[position : position + 2]))
        if entry is None:
            step, entry = 1, table.get(stems[position])
        if entry is None:
            if position > 1 and not turned and stems[position] in _TURN:
                turned, main = True, [positive, negative]
            position += 1
            continue
        for category in entry.categories:
            name = "c:" + category
            found[name] = min(2.0, found.get(name, 0.0) + 1.0)
            if not before:
                found["c:first " + category] = 1.0
            elif position - before_at <= _SPAN:
                for earlier in before:
                    found[f"p:{earlier} {category}"] = 1.0
        valence = -0.7 * entry.valence if position <= flip_until else entry.valence
        if "negate" in entry.categories or "ease" in entry.categories:
            flip_until = position + 4
        positive += max(valence, 0.0)
        negative += max(-valence, 0.0)
        before, before_at = entry.categories, position
        position += step
    found["v:positive"] = positive / (positive + 3.0)
    found["v:negative"] = negative / (negative + 3.0)
    found["v:net"] = (positive - negative) / (positive + negative + 3.0)
    if not positive and not negative:
        found["v:none"] = 1.0
    if turned:
        net, rest = main[0] - main[1], positive - negative - (main[0] - main[1])
        found["v:main"] = net / (abs(net) + 2.0)
        found["v:circumstance"] = rest / (abs(rest) + 2.0)


def _add_shape(found: dict[str, float], text: str, tokens: list[tuple[str, str]]) -> None:
    kinds = {kind for kind, _ in tokens}
    if text.rstrip().endswith("?"):
        found["s:question"] = 1.0
    first = tokens[0][1]
    if first in _WH:
        found["s:asks"] = 1.0
    if tokens[0][0] == "number":
        found["s:starts with number"] = 1.0
    if ":" in text or "|" in text:
        found["s:colon"] = 1.0
    if "!" in text:
        found["s:exclaims"] = 1.0
    if '"' in text or "“" in text or " '" in text:
        found["s:quotes"] = 1.0
    for kind in ("usd", "percent", "asset"):
        if kind in kinds:
            found["s:has " + kind] = 1.0
    if len(tokens) <= 5:
        found["s:short"] = 1.0
    elif len(tokens) >= 16:
        found["s:long"] = 1.0
