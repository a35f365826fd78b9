"""Shared fixtures: a build cache of the test session's own, and small variants of the models."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

#: When the session began, and after how many seconds it begins no other test.
_BEGUN = time.monotonic()
_SECONDS = float(os.environ.get("NEUROGLIA_TEST_SECONDS", "inf"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the quick cases of a test that is marked ``one_in(n)``, all but every n-th are thorough."""
    seen: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("one_in")
        if mark is None or any(map(item.get_closest_marker, ("thorough", "exhaustive", "cuda"))):
            continue
        name = item.nodeid.partition("[")[0]
        if seen[name] % mark.args[0]:
            item.add_marker(pytest.mark.thorough)
        seen[name] += 1


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the time that is given does not suffice for."""
    if time.monotonic() - _BEGUN > _SECONDS:
        pytest.skip(f"not within the {_SECONDS:g} s of NEUROGLIA_TEST_SECONDS")


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
