"""What can go wrong, as exceptions.

KillcordError                    everything below; carries the exit code of the command line
├── UsageError           (2)     a command was called wrongly: unknown venue, symbol, quantity
├── ConfigError          (2)     configuration does not load; carries every problem at once
├── SafetyRefusal        (3)     a safety rule said no: halted, second desk, live without gates
│   ├── AlreadyRunning           another desk holds this account
│   └── KeyRefused               a key that can withdraw, or is for another environment
├── NoDesk               (4)     no desk answers on the control socket
├── ClusterUnavailable   (5)     the scheduler of a Dask cluster, or the database of a shared search
├── StrategyFailed       (1)     a strategy raised while its settings were tried
├── VenueError           (5)     a venue or the network
│   ├── VenueUnavailable         no usable answer: timeout, refused, 5xx
│   │   └── VenueMaintenance     the venue says that it is closed for now
│   ├── VenueRefused             a definite no, with the venue's code
│   └── AuthenticationFailed     the key is wrong, expired or lacks rights
└── StateError           (1)     something on disk is not as it must be
    ├── JournalCorrupt           a record fails its checksum or chain
    ├── StoreError               the SQL store cannot be used
    │   └── StoreDamaged         its file is damaged
    ├── RecordingError           a market recording does not parse
    └── RegistryError            a stored model is corrupt or does not fit
"""

from __future__ import annotations

from collections.abc import Sequence


class KillcordError(Exception):
    """Base of all errors this program raises on purpose. The text says what to do."""

    exit_code = 1


class UsageError(KillcordError):
    """A command was called wrongly."""

    exit_code = 2


class ConfigError(KillcordError):
    """The configuration does not load.

    Args:
        problems: one line each, ``file: key: what is wrong, what was expected``.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[str, ...]]]:
        """A worker process sends its problems, not their text."""
        return type(self), (self.problems,)


class SafetyRefusal(KillcordError):
    """A safety rule refused."""

    exit_code = 3


class AlreadyRunning(SafetyRefusal):
    """Another desk holds this account or this home folder."""


class KeyRefused(SafetyRefusal):
    """A key must not be used: it can withdraw, or belongs to another environment."""


class NoDesk(KillcordError):
    """No desk answers on the control socket."""

    exit_code = 4


class ClusterUnavailable(KillcordError):
    """A cluster's scheduler, or the database of a shared search, does not answer."""

    exit_code = 5


class StrategyFailed(KillcordError):
    """A strategy raised while its settings were tried; the text says where."""


class VenueError(KillcordError):
    """A venue or the network failed."""

    exit_code = 5


class VenueUnavailable(VenueError):
    """No usable answer came; the outcome of what was asked is unknown."""


class VenueMaintenance(VenueUnavailable):
    """The venue says that it is closed for now; asking again later is all there is to do."""


class VenueRefused(VenueError):
    """The venue said no.

    Args:
        code: the venue's raw code.
    """

    def __init__(self, text: str, code: str = "") -> None:
        self.code = code
        super().__init__(text)


class AuthenticationFailed(VenueError):
    """The key is wrong, expired, or lacks a right."""


class StateError(KillcordError):
    """Something on disk is not as it must be."""


class JournalCorrupt(StateError):
    """A journal record fails its checksum or the hash chain."""


class StoreError(StateError):
    """The SQL store cannot be used."""


class StoreDamaged(StoreError):
    """The SQL store's file is damaged: waiting does not mend it, and writing makes it worse."""


class RecordingError(StateError):
    """A market recording does not parse."""


class RegistryError(StateError):
    """A stored model is corrupt, or does not fit this version."""


def in_words(error: BaseException) -> str:
    """Return what an exception says, in one line: without the number and path of an ``OSError``."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
