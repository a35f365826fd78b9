"""A Brian2 script up to its first ``run()``: its network, and the texts that its values were given by."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import defaultclock
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.namespace import get_local_namespace
from brian2.core.variables import ArrayVariable, VariableView
from brian2.devices.device import RuntimeDevice, all_devices, previous_devices, runtime_device
from brian2.synapses.synapses import Synapses
from brian2.units.stdunits import ms
from brian2.utils.stringtools import get_identifiers

from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.errors import UserError, shown


@dataclass
class Given:
    """An expression that set all values of a variable, what it meant, and what it gave."""

    text: str
    external: dict[str, Any]
    values: np.ndarray
    read: dict[Any, np.ndarray]


@dataclass
class Connected:
    """The arguments of a call of `connect`, what their texts name, and the values of variables among it."""

    arguments: dict[str, Any]
    external: dict[str, Any]
    read: dict[Any, np.ndarray]


@dataclass
class Log:
    """What a script did with its objects before the run, by variable and by name of synapses.

    A variable that was last set by anything but one expression for all of its values is not in ``given``.
    """

    given: dict[Any, Given] = field(default_factory=dict)
    connected: dict[str, list[Connected]] = field(default_factory=dict)
    seed: int | None = None


@dataclass
class Captured:
    """A network at its run."""

    network: Any
    duration: float
    namespace: dict[str, Any]
    dt: float
    log: Log


class _Stopped(BaseException):
    """Ends a script at its run, also one that catches every `Exception`."""


class Recorder(RuntimeDevice):
    """Brian2's runtime device, which takes notes, and stops at the first run."""

    def __init__(self, receive: Callable[[Captured], None]) -> None:
        super().__init__()
        self.arrays = runtime_device.arrays
        self.log, self.done = Log(), False
        self._receive = receive

    def code_object_class(self, codeobj_class: Any = None, fallback_pref: str = "") -> Any:
        return NumpyCodeObject  # nothing is compiled for what runs once

    def seed(self, seed: int | None = None) -> None:
        super().seed(seed)
        self.log.seed = None if seed is None else int(seed)

    def build(self, **options: Any) -> None:
        """What standalone devices do after a run that waits for it."""

    def variableview_set_with_expression_conditional(
        self, view: Any, cond: str, code: str, run_namespace: Any, check_units: bool = True
    ) -> None:
        self.log.given.pop(view.variable, None)
        group, names = view.group, get_identifiers(code)
        found = group.resolve_all(names, run_namespace, user_identifiers=set())
        read = _values(found)
        external = {n: v for n, v in found.items() if n not in group.variables}
        original = VariableView.set_with_expression_conditional.original_function
        original(view, cond, code, run_namespace, check_units=check_units)
        if cond == "True" and view.index_var in ("_idx", "0"):  # neither of a part, nor by synapses
            values = view.variable.get_value().copy()
            self.log.given[view.variable] = Given(code, external, values, read)

    def variableview_set_with_expression(self, view: Any, *given: Any, **more: Any) -> None:
        self.log.given.pop(view.variable, None)
        VariableView.set_with_expression.original_function(view, *given, **more)

    def variableview_set_with_index_array(self, view: Any, *given: Any, **more: Any) -> None:
        self.log.given.pop(view.variable, None)
        VariableView.set_with_index_array.original_function(view, *given, **more)

    def synapses_connect(
        self,
        synapses: Any,
        condition: Any = None,
        i: Any = None,
        j: Any = None,
        p: Any = 1.0,
        n: Any = 1,
        skip_if_invalid: bool = False,
        namespace: Any = None,
        level: int = 0,
    ) -> None:
        if namespace is None:
            namespace = get_local_namespace(level=level + 2)
        given = {"condition": condition, "i": i, "j": j, "p": p, "n": n}
        texts = " ".join(v for v in given.values() if isinstance(v, str))
        found: dict[str, Any] = {}
        for name in get_identifiers(texts):
            with contextlib.suppress(KeyError):  # of a generator's own variable
                found |= synapses.resolve_all({name}, namespace, user_identifiers=set())
        external = {n: v for n, v in found.items() if n not in synapses.variables}
        read = _values(found)
        Synapses.connect.original_function(
            synapses, condition, i, j, p, n, skip_if_invalid, namespace
        )
        given["skip_if_invalid"] = skip_if_invalid
        self.log.connected.setdefault(synapses.name, []).append(Connected(given, external, read))

    def network_run(
        self,
        network: Any,
        duration: Any,
        report: Any = None,
        report_period: Any = None,
        namespace: Any = None,
        profile: Any = None,
        level: int = 0,
    ) -> None:
        if not self.done:
            self.done = True
            if namespace is None:
                namespace = get_local_namespace(level=level + 2)
            dt = float(self.defaultclock.dt)
            self._receive(Captured(network, float(duration), namespace, dt, self.log))
        raise _Stopped


def _values(found: dict[str, Any]) -> dict[Any, np.ndarray]:
    """Values of the variables that a text names and that may change."""
    return {
        variable: variable.get_value().copy()
        for variable in found.values()
        if isinstance(variable, ArrayVariable) and not variable.read_only
    }


def first_run(script: Path, receive: Callable[[Captured], None]) -> None:
    """Run a script as ``python script.py`` does, up to its first run, of which ``receive`` is told.

    What the script prints goes to stderr.

    Raises
    ------
    UserError
        If the script fails before, or has no run; and what ``receive`` raises.
    """
    failed: list[Exception] = []

    def told(captured: Captured) -> None:
        try:
            receive(captured)
        except Exception as error:  # the script must not catch it
            failed.append(error)

    recorder = Recorder(told)
    reason = "has no run()"
    with _in_place(recorder, script), contextlib.redirect_stdout(sys.stderr):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except (_Stopped, SystemExit):
            pass
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            reason = f"stops before its run(): {_described(error, script)}"
    if failed:
        raise failed[0]
    if not recorder.done:
        raise UserError(f"{script} {reason}")


def _described(error: BaseException, script: Path) -> str:
    """An error of a script, with the line of the script that it comes from."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if os.path.realpath(frame.filename) == os.path.realpath(script)
    ]
    if isinstance(error, SyntaxError) and not lines:
        lines = [error.lineno]
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(root).__name__}: {shown(root, 300)}"


@contextlib.contextmanager
def _in_place(recorder: Recorder, script: Path) -> Iterator[None]:
    """The recorder as whatever device the script may choose, and Python as it is for a script."""
    known, arguments, path = dict(all_devices), sys.argv, sys.path[:]
    backend, dt = os.environ.get("MPLBACKEND"), defaultclock.dt
    with apart(recorder):
        chosen = previous_devices[:]
        recorder.defaultclock.dt = 0.1 * ms  # whatever a session has
        names = {*known, "cpp_standalone", "cuda_standalone", "genn", "neuroglia"}
        all_devices.update(dict.fromkeys(names, recorder))
        sys.argv, sys.path[0:0] = [str(script)], [str(script.resolve().parent)]
        os.environ["MPLBACKEND"] = "Agg"
        try:
            yield
        finally:
            recorder.defaultclock.dt = dt  # which the device of before takes over
            sys.argv, sys.path[:] = arguments, path
            all_devices.clear()
            all_devices.update(known)
            previous_devices[:] = chosen
            os.environ.pop("MPLBACKEND", None)
            if backend is not None:
                os.environ["MPLBACKEND"] = backend
