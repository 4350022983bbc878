"""What holds for every test."""

import gc
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No test fails on a time: a busy machine takes longer over an example.
settings.register_profile("killcord", deadline=None)
settings.load_profile("killcord")

# numpy reads it when it is loaded. On a busy machine its threads wait for each other: a training
# of one second takes ten.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The tests start the program hundreds of times; without bytecode each start compiles it anew, a
# quarter more processor time, and each worker all the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True, scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the locks on accounts apart from those of the person who tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True, scope="module")
def forget_servers() -> Iterator[None]:
    """Let go of servers that ended: aiohttp remembers handlers, and with them whole exchanges.

    Without this a worker grows by 60 MB a test that plays faults, to more than 2 GB.
    """
    yield
    web = sys.modules.get("aiohttp.web_app")
    if web is not None and web._cached_build_middleware.cache_info().currsize:
        web._cached_build_middleware.cache_clear()
        gc.collect()
