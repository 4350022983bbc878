"""Who is on duty: what the registry says, told to the engine; what the engine says, kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from core.clock import SECOND, Clock
from core.config import Config
from core.desk.lines import Lines
from core.desk.ports import Sink
from core.errors import KillcordError, RegistryError
from core.model.effect import ModelDropped
from core.model.event import ModelDemoted, ModelPromoted, ModelRole
from core.model.learning import Record
from core.signals.diary import compare
from core.signals.registry import MONITOR, Registry, make_model, read_meta

KEEP_EVERY = 600
"""Seconds between two writings of how the models do."""

Recorded = Callable[[ModelRole], tuple[str, Record] | None]


class Roster:
    """Keeps engine and registry of one mind about the models on duty.

    Args:
        config: of the desk.
        models: the registry's folder.
        record: says how a model on duty does; the engine knows.
        sink: takes events.
        lines: the log.
        clock: wall time.
        vacant: told when the champion has left: a new one must be found.
    """

    def __init__(
        self,
        config: Config,
        models: Path,
        record: Recorded,
        sink: Sink,
        lines: Lines,
        clock: Clock,
        vacant: Callable[[], None],
    ) -> None:
        self.registry = Registry(models)
        self._config = config
        self._record = record
        self._sink = sink
        self._lines = lines
        self._clock = clock
        self._vacant = vacant
        self._told: dict[ModelRole, str] = {}
        """Who the engine knows to be on duty."""
        self._left: list[ModelDropped] = []
        """Whom the engine has taken off duty, until the registry knows."""
        self._kept = 0

    async def look(self) -> bool:
        """Follow the registry; now and then write down how the models do, and compare them.

        Returns:
            Whether a model has come on duty.

        Raises:
            KillcordError, OSError: the registry cannot be used.
        """
        while self._left:
            effect = self._left[0]
            await asyncio.to_thread(self._dismiss, effect)
            self._told.pop(ModelRole(effect.role), None)
            del self._left[0]
        came = False
        for role in ModelRole:
            name = self.registry.on_duty(role)
            if name != self._told.get(role, ""):
                came |= await self._change(role, name)
        now = self._clock.now()
        if now - self._kept > KEEP_EVERY * SECOND:
            self._kept = now
            await asyncio.to_thread(self.keep)
            await self._compare()
        return came

    def dropped(self, effect: ModelDropped) -> None:
        """The engine has taken a model off duty: so will the registry, at the next look.

        Not here: whoever else is changing the registry, or a full disk, must not hold the desk up.
        """
        self._left.append(effect)
        if effect.role == ModelRole.CHAMPION:
            self._vacant()

    def _dismiss(self, effect: ModelDropped) -> None:
        role = ModelRole(effect.role)
        if self.registry.on_duty(role) == effect.id:
            self.registry.demote(effect.cause, MONITOR, role)

    async def _change(self, role: ModelRole, name: str) -> bool:
        """Tell the engine who is on duty now; return whether there is one."""
        now = self._clock.now()
        before = self._told.pop(role, "")
        if not name:
            cause, actor = self._why_gone(before)
            self._sink(ModelDemoted(role, before, cause, actor, now))
            return False
        try:
            event, problem = await asyncio.to_thread(self._read, role, name)
        except KillcordError as error:
            # Off duty on disk too, or the next model would only be watched beside it.
            await asyncio.to_thread(self.registry.demote, str(error), "desk", role)
            self._lines.add("info", f"models: {error}", "alarm")
            if before:
                self._sink(ModelDemoted(role, before, str(error), "desk", now))
            if role is ModelRole.CHAMPION:
                self._vacant()
            return False
        if problem:
            self._lines.add("info", f"models: {problem}", "warning")
        self._told[role] = name
        self._sink(event)
        return True

    def _why_gone(self, name: str) -> tuple[str, str]:
        """Return why a model is off duty and by whom: it is, whatever the log can tell."""
        try:
            life = self.registry.life(name)
        except RegistryError as error:
            self._lines.add("info", f"models: {error}", "warning")
            life = []
        return (life[-1]["cause"], life[-1]["actor"]) if life else ("by hand", "file")

    def _read(self, role: ModelRole, name: str) -> tuple[ModelPromoted, str]:
        """Read and try a model, off the loop: LightGBM costs half a second to import.

        Returns:
            The event, and what is wrong with its record: no reason to lose the model.
        """
        meta, text = self.registry.text(name)
        made = make_model(read_meta(meta), text)
        wanted = int(self._config.strategy.timeframe)
        if made.timeframe != wanted:
            raise KillcordError(
                f"{name} is of candles of {made.timeframe} s, the strategy's are of {wanted} s"
            )
        record, problem = Record(), ""
        try:
            record = self.registry.record(name)
        except RegistryError as error:
            problem = str(error)
        return ModelPromoted(role, meta, text, self._clock.now(), record), problem

    def keep(self) -> None:
        """Write down how the models do, and who has left."""
        for effect in tuple(self._left):
            self._dismiss(effect)
        for role in ModelRole:
            found = self._record(role)
            if found is not None:
                self.registry.keep(*found)

    async def _compare(self) -> None:
        """Let the challenger trade when its own days say that it does better."""
        champion, challenger = (self._record(role) for role in ModelRole)
        if challenger is None or (champion is None and self.registry.champion):
            return
        name, record = challenger
        old, days = ("a coin", None) if champion is None else (champion[0], champion[1].days)
        shadow = self._config.learning.shadow
        told = await asyncio.to_thread(compare, days, record.days, shadow)
        if told.favours:
            assert told.loss is not None
            assert told.net is not None
            cause = (
                f"better than {old} over {told.days} days: log loss {told.loss.mean:.4f} smaller,"
                f" return {told.net.mean * 1e4:+.1f} bp a day, both beyond luck"
            )
            await asyncio.to_thread(
                self.registry.promote, name, "shadow", ModelRole.CHAMPION, cause
            )
            self._lines.add("info", f"models: {name} {cause}: it trades")
