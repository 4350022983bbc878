"""An engine driven by hand that a recorder listens to: a session to replay, in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from core.home import Home
from core.journal.recorder import Recorder
from core.journal.recording import Session
from core.model.effect import Effect
from core.model.event import Event
from core.portfolio.checkpoint import take
from core.portfolio.ledger import Ledger
from core.signals.stamp import stamp
from core.signals.strategy import Strategy
from tests.core.engine.scene import KEY, START, Scene, config

NAME = "20231114T221320-000001"


class RecordedScene(Scene):
    """A scene that a desk's recorder listens to."""

    def __init__(
        self,
        home: Home,
        ledger: Ledger | None = None,
        make_strategy: Callable[[], Strategy] | None = None,
        **changes: Any,
    ) -> None:
        settings = config(**changes)
        made = ledger or Ledger()
        session = Session(
            "practice",
            1,
            START,
            settings.model_dump(mode="json", exclude={"storage"}),
            "TEST",
            KEY,
            stamp(home.strategies, settings.strategy),
            msgspec.Raw(msgspec.json.encode(take(made))),
        )
        super().__init__(settings, made, make_strategy)
        self.recorder = Recorder(home.state("practice") / "recording", NAME, session, 7)
        self.recorder.start()

    def give(self, *events: Event) -> list[Effect]:
        out: list[Effect] = []
        for event in events:
            self.recorder.add(event)
            effects = super().give(event)
            if effects:
                self.recorder.decided(tuple(effects))
            out += effects
        return out

    def trade(self, rounds: int = 3) -> None:
        """Rise and fall, so that positions open, close and turn."""
        self.open()
        price = 50_000.0
        for step in range(rounds * 8):
            self.now += 5_000_000_000
            price += 400.0 if step // 8 % 2 == 0 else -600.0
            for effect in self.give(self.book(price), self.candle(price)):
                if type(effect).__name__ == "SubmitOrder":
                    order = effect.order  # type: ignore[union-attr]
                    self.give(self.sent(order))
                    if order.kind.value == "market":
                        self.give(self.fill_of(order, f"{price:.1f}", order.qty))
            self.wait(1)

    def end(self) -> Path:
        self.recorder.close(self.engine.decision_hash, self.now)
        return self.recorder.path
