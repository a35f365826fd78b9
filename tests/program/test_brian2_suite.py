"""A quick part of Brian2's own tests on our device; `make test-brian2` runs them all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).parent / "brian2_suite.py"


@pytest.mark.thorough
def test_brian2s_tests_pass_on_our_device():
    files = ("test_refractory.py", "test_poissoninput.py")
    done = subprocess.run([sys.executable, SUITE, *files], capture_output=True, text=True)
    counted = {kind: int(n) for n, kind in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}
    assert done.returncode == 0, done.stdout
    assert counted["passed"] > 20 and set(counted) == {"passed"}
