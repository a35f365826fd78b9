"""Shared fixtures: a build cache of the test session's own, and small variants of the models."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def build_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Builds go to one folder for the whole session and all its workers, or the caller's."""
    if "NEUROGLIA_CACHE" not in os.environ:
        base = tmp_path_factory.getbasetemp()
        shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        os.environ["NEUROGLIA_CACHE"] = str(shared / "builds")
        yield
        del os.environ["NEUROGLIA_CACHE"]
    else:
        yield


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> None:
    """Interrupts interrupt, also where the session was started in the background, which ignores them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_set() -> Callable[[str], Path]:
    """Path of a data set that is not in the repository; skips the test where it is not here."""
    root = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NEUROGLIA_DATA", root))

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"{folder / name} is not here (NEUROGLIA_DATA says where data sets are)")
        return folder / name

    return find
