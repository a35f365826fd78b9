"""Brian2's own tests, as they lie in its wheel, with our device as the device.

``python tests/program/brian2_suite.py [pytest's arguments]``; what we refuse is skipped with our reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import brian2
import pytest
from brian2.devices.device import get_device

import neuroglia_snn.brian
from neuroglia_snn.program.refusal import Refused

FOLDER = Path(brian2.__file__).parent / "tests"
#: What runs no network, or belongs to another device.
#: `test_ufunc_at_vectorisation` is about the messages of Brian2's NumPy code generator.
LEFT_OUT = "test_ufunc_at_vectorisation"
MARKS = "not codegen_independent and not standalone_only and not cpp_standalone"


class Plugin:
    """Sets the device for every test, and counts."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def pytest_configure(self, config) -> None:
        config.brian_prefs = {"codegen.target": "numpy"}
        config.device, config.device_options = "neuroglia", {}
        config.fail_for_not_implemented = True

    def pytest_runtest_call(self, item) -> None:
        assert get_device() is neuroglia_snn.brian.device, "the device is not ours"

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        report = outcome.get_result()
        # a test that skips itself where a target has no GSL is skipped by Brian2
        failed = call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception)
        if failed and (reason := _refusal(call.excinfo.value)):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"refused: {reason}")
        if call.when == "call" or report.outcome != "passed":
            kind = report.outcome
            if kind == "skipped":
                kind = "refused" if "refused: " in str(report.longrepr) else "skipped by Brian2"
            self.count[kind] += 1
            if kind in ("failed", "refused"):
                reason = str(call.excinfo.value).strip().splitlines() or [""]
                line = f"{kind} {item.name}: {call.excinfo.typename}: {reason[-1][:300]}"
                item.config.pluginmanager.getplugin("terminalreporter").write_line(f"\n{line}")


def _refusal(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, Refused):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


def main(arguments: list[str]) -> int:
    plugin = Plugin()
    names = [a for a in arguments if (FOLDER / a.split("::")[0]).is_file()]
    rest = [a for a in arguments if a not in names]
    chosen = [str(FOLDER / n) for n in names] or [str(FOLDER)]
    # Brian2's conftest.py, which sets the device, lies above its tests
    common = [
        "--confcutdir",
        str(FOLDER.parent),
        "-c",
        str(FOLDER / "pytest.ini"),
        "-p",
        "no:cacheprovider",
        "-q",
        "-W",
        "ignore",
    ]
    common.append(f"--deselect=test_synapses.py::{LEFT_OUT}")
    status = pytest.main([*common, "-m", MARKS, *rest, *chosen], plugins=[plugin])
    print(", ".join(f"{n} {kind}" for kind, n in sorted(plugin.count.items())))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
