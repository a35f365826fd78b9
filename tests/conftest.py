"""Shared fixtures: a build cache of the test session's own, and small variants of the models."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def build_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Builds go to one folder for the whole session, unless the caller chose one."""
    if "NEUROGLIA_CACHE" not in os.environ:
        os.environ["NEUROGLIA_CACHE"] = str(tmp_path_factory.mktemp("builds"))
        yield
        del os.environ["NEUROGLIA_CACHE"]
    else:
        yield
