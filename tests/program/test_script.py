"""A Brian2 script says the same on our device as on Brian2's runtime."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from program.test_zoo import TARGETS

SCRIPT = Path(__file__).parent / "script.py"


def said(*arguments: str) -> list[str]:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture(scope="module")
def expected() -> list[str]:
    return said()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("target", TARGETS)
def test_says_what_it_says_on_brian2s_runtime(target, expected):
    assert len(expected) > 10
    assert said(target) == expected
