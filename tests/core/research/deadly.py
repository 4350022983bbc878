"""Work for processes that may die of it. Imports little: each process starts anew."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any


def square(job: Any, task: int) -> int:
    """Dies once at the task, and the first time, that the job names."""
    folder, deadly, times = job
    marks = list(Path(folder).glob("died-*"))
    if task == deadly and len(marks) < times:
        (Path(folder) / f"died-{len(marks)}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task * task
