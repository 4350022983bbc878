"""The transformer engine: a worker process, asked over its pipes, with a limit on every wait."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.secrets import Secret
from sentiment.scorer import ModelUnavailable, Score
from sentiment.worker import ENVIRONMENT

LOAD_LIMIT = 120.0
"""Seconds to load a model; 110 million parameters take under 5 where the disk is warm."""
ANSWER_LIMIT = 60.0
"""Seconds for one request of at most ``REQUEST`` texts; 32 take 1.6 s at 110 million, float32."""
REQUEST = 128
_LONGEST = 2_000


class TransformerEngine:
    """Scores with the model in a folder or of a hub name. The process starts with the first texts.

    Not for two threads at once.

    Args:
        model: a folder, or ``owner/name``.
        token: of the hub, for models that need one.
    """

    def __init__(self, model: str, token: Secret | None = None) -> None:
        self._model = model
        self._token = token
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self.hash = ""
        self.name = Path(model).name if Path(model).is_dir() else model

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Load the model.

        Raises:
            ModelUnavailable: with the worker's reason.
        """
        if self._process is not None:
            return
        environment = {**os.environ, **ENVIRONMENT}
        if self._token:
            environment.setdefault("HF_TOKEN", self._token.reveal())
        self._pending = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sentiment.worker", self._model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        ready = self._read(LOAD_LIMIT, "loading").get("ready")
        if not isinstance(ready, dict):
            raise self._failed("does not speak as it should")
        self.hash = str(ready["hash"])
        if ready["precision"] != "float32" and not self.name.endswith(ready["precision"]):
            self.name = f"{self.name} {ready['precision']}"

    def score(self, texts: Sequence[str]) -> list[Score | None]:
        """Return one score per text, None where there is no text to judge.

        Raises:
            ModelUnavailable: the worker did not load, died, or did not answer in time.
        """
        asked = [index for index, text in enumerate(texts) if any(map(str.isalpha, text))]
        result: list[Score | None] = [None] * len(texts)
        self.start()
        for start in range(0, len(asked), REQUEST):
            part = asked[start : start + REQUEST]
            rows = self._ask([texts[index][:_LONGEST] for index in part])
            for index, (negative, neutral, positive) in zip(part, rows, strict=True):
                result[index] = Score(negative, neutral, positive, self.name, self.hash)
        return result

    def close(self) -> None:
        """End the worker."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()

    def _ask(self, texts: list[str]) -> list[tuple[float, float, float]]:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(texts).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._failed("has died") from error
        rows = self._read(ANSWER_LIMIT, "scoring").get("scores")
        if not isinstance(rows, list) or len(rows) != len(texts):
            raise self._failed("does not speak as it should")
        return [(float(a), float(b), float(c)) for a, b, c in rows]

    def _read(self, limit: float, doing: str) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + limit
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise self._failed(f"gave no answer in {limit:.0f} s while {doing}")
            block = os.read(descriptor, 1 << 16)
            if not block:
                raise self._failed(f"has died while {doing}")
            self._pending += block
        line, self._pending = self._pending.split(b"\n", 1)
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise self._failed("does not speak as it should") from error
        if not isinstance(answer, dict):
            raise self._failed("does not speak as it should")
        if "error" in answer:
            self.close()
            raise ModelUnavailable(str(answer["error"]))
        return answer

    def _failed(self, what: str) -> ModelUnavailable:
        self.close()
        return ModelUnavailable(f"the scorer process of {self._model} {what}")
