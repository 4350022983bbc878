"""Articles: what a source said, checked and made safe."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from msgspec import Struct

from core.clock import DAY, MINUTE

TITLE_LIMIT = 300
SUMMARY_LIMIT = 1_000
"""Characters kept. The longest headline of the feeds measured has 190."""


class Item(Struct, frozen=True):
    """One entry as a source gave it; nothing in it is trusted yet.

    ``published`` is nanoseconds UTC, None where the source gave no readable date. ``assets`` are
    those the source itself names, with its relevance from 0 to 1.
    """

    source: str
    outlet: str
    title: str
    url: str
    published: int | None
    summary: str = ""
    language: str = ""
    assets: tuple[tuple[str, float], ...] = ()


class Article(Struct, frozen=True):
    """A checked article.

    ``id`` is the same for the same URL, however it is decorated. ``published`` never lies after
    ``first_seen``; both are nanoseconds UTC.
    """

    id: str
    source: str
    outlet: str
    title: str
    summary: str
    url: str
    published: int
    first_seen: int
    assets: tuple[tuple[str, float], ...] = ()


class Rejection(StrEnum):
    """Why an item did not become an article."""

    NO_TITLE = "no title"
    NO_DATE = "no date"
    FUTURE = "dated in the future"
    ANCIENT = "too old"
    LANGUAGE = "not English"


class Rules(Struct, frozen=True):
    """What is let in. Times in nanoseconds."""

    keep: int = 3 * DAY
    """Oldest age at which an article is taken, and how long it is kept."""
    tolerance: int = 15 * MINUTE
    """How far ahead of our clock an outlet's may be."""
    english_only: bool = True


def admit(item: Item, now: int, rules: Rules) -> Article | Rejection:
    """Check one item at ``now`` (nanoseconds UTC) and return the article or why there is none."""
    title = clean_text(item.title, TITLE_LIMIT)
    if not any(character.isalnum() for character in title):
        return Rejection.NO_TITLE
    if item.published is None:
        return Rejection.NO_DATE
    if item.published > now + rules.tolerance:
        return Rejection.FUTURE
    if item.published < now - rules.keep:
        return Rejection.ANCIENT
    summary = clean_text(item.summary, SUMMARY_LIMIT)
    if rules.english_only and not is_english(title, item.language):
        return Rejection.LANGUAGE
    url = clean_url(item.url)
    outlet = clean_text(item.outlet, 60) or (urlsplit(url).hostname or item.source)
    identity = url or f"{outlet}\n{normalise(title)}"
    return Article(
        id=hashlib.blake2b(identity.encode(), digest_size=12).hexdigest(),
        source=item.source,
        outlet=outlet,
        title=title,
        summary=summary,
        url=url,
        published=min(item.published, now),
        first_seen=now,
        assets=item.assets,
    )


_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>]{0,400}|!--.{0,400}?--|!\[CDATA\[)>", re.DOTALL)
_SPACE = re.compile(r"\s+")


def clean_text(text: str, limit: int) -> str:
    """Return plain text of one line: no markup, entities, control or direction characters.

    Entities are resolved first and once more after the tags are gone, because feeds escape their
    markup once, twice or not at all.
    """
    text = text[: limit * 20]
    for _ in range(2):
        text = _TAG.sub(" ", html.unescape(text))
    text = unicodedata.normalize("NFC", text)
    # Cc, Cf (zero width, direction), Cs, Co, Cn: none of them is text; Cc holds tab and newline.
    text = "".join(
        character if unicodedata.category(character)[0] != "C" else _stand_in(character)
        for character in text
    )
    text = _SPACE.sub(" ", text).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _stand_in(character: str) -> str:
    return " " if character in "\t\n\r\v\f" else ""


_TRACKING = re.compile(r"^(utm_|fbclid|gclid|mc_|ref$|ref_|cmpid|ncid|guccounter|feature$)")


def clean_url(url: str) -> str:
    """Return the address without tracking, fragment or trailing slash; "" unless http(s)."""
    try:
        parts = urlsplit(clean_text(url, 2_000))
        host = (parts.hostname or "").removeprefix("www.")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not host:
        return ""
    query = [
        (key, value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKING.match(key.lower())
    ]
    return urlunsplit((parts.scheme, host + port, parts.path.rstrip("/"), urlencode(query), ""))


# --- language -----------------------------------------------------------------------------------

_ENGLISH_WORDS = (
    "the a an of to in on for and is are was were will with as at by from after over its it this "
    "that be has have not says said why how what new could may more than up down out about into "
    "against amid while when who his her their but or if can you your all we us now just here "
    "price market trading coin exchange"
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
# Spanish, Portuguese, Italian, French, German, Dutch, Polish, Czech, Turkish, Indonesian: short
# words that are no English ones.
_FOREIGN_WORDS = (
    "el la los las del una por para con como que más este esta pero sobre y en es se su sus "
    "um uma dos das não mais ao pelo pela são com il lo gli della delle di che per sono anche "
    "le les des du une dans sur avec est qui pas au aux et ou der die das und ist nicht mit von "
    "dem den ein eine auf für im zu wird nach het een van niet voor zijn wordt dat z ze do na nie "
    "jest przez się w i od po jak dla o a je na se ve bir bu ile için da de yang dan untuk dari "
    "pada akan ini itu juga dengan ke"
)
_EITHER = {"a", "do", "die", "per", "i", "o", "le", "la", "el", "da", "de", "van", "im", "den", "w"}
_FOREIGN = frozenset(_FOREIGN_WORDS.split()) - _EITHER
_WORD = re.compile(r"[^\W\d_]+")


def is_english(title: str, declared: str = "") -> bool:
    """Say whether a title is English, by script and by the small words of eleven languages.

    ``declared`` is the source's language code, which settles it when it names another language.
    A title without any small word counts as English while it is written in plain Latin letters.
    """
    if declared and not declared.lower().startswith("en"):
        return False
    letters = [character for character in title if character.isalpha()]
    if not letters:
        return True
    plain = sum(character.isascii() for character in letters)
    if plain < 0.9 * len(letters):
        return False
    words = [word.lower() for word in _WORD.findall(title)]
    english = sum(word in _ENGLISH for word in words)
    foreign = sum(word in _FOREIGN or not word.isascii() for word in words)
    return foreign <= english or (foreign == 1 and len(words) > 6 and plain == len(letters))


# --- titles as words -----------------------------------------------------------------------------

_TOKEN = re.compile(r"\$?\d[\d,.]*(?:%|k|m|bn?|t)?|[a-z]+(?:'[a-z]+)?")


def normalise(title: str) -> str:
    """Return a title as its words in lower case, without punctuation."""
    return " ".join(_TOKEN.findall(title.lower().replace("’", "'")))
