"""Brian2's device ``neuroglia``: every ``run()`` of a script in our loop, on Brian2's own arrays."""

from __future__ import annotations

import gc
import itertools
import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from brian2.codegen.codeobject import CodeObject
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.base import BrianObjectException
from brian2.core.namespace import get_local_namespace
from brian2.core.network import Network
from brian2.core.preferences import prefs
from brian2.core.variables import DynamicArrayVariable
from brian2.devices.device import RuntimeDevice, runtime_device
from brian2.synapses.synapses import SynapticPathway
from brian2.units.allunits import second
from brian2.utils.logger import get_logger

from neuroglia_snn.errors import DeviceLost, UserError
from neuroglia_snn.program import clocks, connect, draws, drive
from neuroglia_snn.program.build import build
from neuroglia_snn.program.code import record
from neuroglia_snn.program.machine import MOST_THREADS, Machine, Made, Setting
from neuroglia_snn.program.prescribed import Prescriptions, of_script, require_known
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.refusal import Refused, refuse
from neuroglia_snn.program.single import execute

logger = get_logger("brian2.devices.neuroglia")

#: The kind of code objects whose functions a target calls, and what makes its machines.
Target = tuple[type[CodeObject], Callable[[Program, Setting], Machine]]

#: What `set_device` takes.
PRECISIONS = ("float64", "float32", "fixed")


class NeurogliaDevice(RuntimeDevice):
    """Runs networks by a machine; all that happens outside of a run is Brian2's, in NumPy.

    ``targets`` maps the name of a target to the kind of code objects whose functions it can call, and
    to what makes its machines.
    """

    def __init__(
        self, targets: dict[str, Target], fixed: Callable[..., Machine] | None = None
    ) -> None:
        super().__init__()
        self._make_fixed = fixed
        #: What is prescribed of the integers of variables, by names of group and variable.
        self.prescribed: Prescriptions = {}
        self.fixed: Any = None  # the integers of the last run in fixed point
        self.arrays = runtime_device.arrays  # a script may go on with its objects on either
        self._targets = targets
        self._target, self._fallback = next(iter(targets)), False
        self._precision, self._threads = "float64", 1
        self._of_gpu = {"deterministic": False, "fast_math": False}
        self._preparing = self._fallen_back = False
        self._included: frozenset[int] = frozenset()
        self.made = Made()  # of the last run
        self._seed: int | None = None
        self._position = 0.0  # where in the sequence of random numbers the next run begins, in s
        self._streams: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._numbers = itertools.count()

    def activate(self, build_on_run: bool = True, **options: Any) -> None:
        """Take up ``target``, ``precision``, ``ranges``, ``threads`` and ``fallback`` from `set_device`.

        For a GPU, ``deterministic`` says that sums are in Brian2's order, and ``fast_math`` that functions may be
        less exact.
        """
        super().activate(build_on_run, **options)
        target = options.pop("target", next(iter(self._targets)))
        fallback = options.pop("fallback", False)
        precision = options.pop("precision", "float64")
        threads = options.pop("threads", 1)
        prescribed = of_script(options.pop("ranges", {}))
        of_gpu = {name: bool(options.pop(name, False)) for name in ("deterministic", "fast_math")}
        options.pop("profile", None)
        if target not in self._targets:
            known = ", ".join(f"'{t}'" for t in self._targets)
            raise UserError(f"set_device('neuroglia', target={target!r}): the targets are {known}")
        if precision not in PRECISIONS:
            raise UserError(
                f"set_device('neuroglia', precision={precision!r}): it is 'float64', 'float32' or 'fixed'"
            )
        if not (isinstance(threads, (int, np.integer)) and 1 <= threads <= MOST_THREADS):
            raise UserError(
                f"set_device('neuroglia', threads={threads!r}): it is a whole number from 1 to {MOST_THREADS}"
            )
        if options:
            raise UserError(
                f"set_device('neuroglia') has no option '{next(iter(options))}' (it has target, "
                "precision, ranges, threads, deterministic, fast_math and fallback)"
            )
        self._target, self._fallback = target, bool(fallback)
        self._precision, self._threads = precision, int(threads)
        self._of_gpu = of_gpu
        self.prescribed = prescribed

    # ------------------------------------------------------------------------------ code objects

    def code_object_class(
        self, codeobj_class: Any = None, fallback_pref: str = "codegen.target"
    ) -> Any:
        """The target's for the code of a run, NumPy for what runs at once, unless a script says it."""
        if codeobj_class is None and self._preparing:
            return self._targets[self._target][0]
        if codeobj_class is None and prefs[fallback_pref] == "auto" and not self._fallen_back:
            return NumpyCodeObject
        return super().code_object_class(codeobj_class, fallback_pref)

    def code_object(
        self,
        owner: Any,
        name: str,
        abstract_code: Any,
        variables: Any,
        template_name: str,
        variable_indices: Any,
        codeobj_class: Any = None,
        template_kwds: Any = None,
        override_conditional_write: Any = None,
        compiler_kwds: Any = None,
    ) -> Any:
        kind = self.code_object_class(codeobj_class)
        given = (owner, name, abstract_code, variables, template_name, variable_indices)
        if self._preparing and "GSL" in kind.__name__:
            raise refuse(owner.name, "an integrator of the GSL")
        if kind is NumpyCodeObject and connect.makes(template_name, variables):
            kind = connect.ConnectCodeObject
            template_kwds = dict(template_kwds or {})
            template_kwds["joined"] = connect.joined(template_kwds, variables)
        if not (self._preparing and kind is self._targets[self._target][0]):
            return super().code_object(
                *given, kind, template_kwds, override_conditional_write, compiler_kwds
            )
        made = record(kind, *given, template_kwds, override_conditional_write, compiler_kwds or {})
        made.execute = lambda code: execute(code, self._keys)
        return made

    # -------------------------------------------------------------------------------------- runs

    def add_array(self, var: Any) -> None:
        """An array for a variable, at the beginning of a cache line, so that no vector lies across two."""
        super().add_array(var)
        if not isinstance(var, DynamicArrayVariable):
            self.arrays[var] = _aligned(var.size, np.dtype(var.dtype))

    def network_run(
        self,
        network: Any,
        duration: Any,
        report: Any = None,
        report_period: Any = 10 * second,
        namespace: Any = None,
        profile: Any = None,
        level: int = 0,
    ) -> None:
        """`brian2.Network.run`."""
        if namespace is None:
            namespace = get_local_namespace(level=level + 2)
        given = (duration, report, report_period, namespace, profile)
        try:
            self._run(network, *given)
        except Refused as refusal:
            if not self._fallback:
                raise
            logger.warn(f"{refusal}: this network runs on Brian2's runtime.", "fallback", once=True)
            _forget_code(network)
            self._fallen_back = True
            try:
                Network.run.original_function(network, *given)
            finally:
                self._fallen_back = False
        finally:
            _forget_code(network)

    def _run(
        self,
        network: Any,
        duration: Any,
        report: Any,
        report_period: Any,
        namespace: Any,
        profile: Any,
    ) -> None:
        if duration < 0:
            raise ValueError(
                f"Function 'run' expected a non-negative duration but got '{duration}'"
            )
        profile = self.build_options.get("profile", False) if profile is None else profile
        objects = network.sorted_objects
        self._clear_unused(objects)
        t_start, t_end = network.t, network.t + duration
        shift = self._position - network.t_
        begun = self.begun(network, duration, namespace, bool(profile))
        if begun is None:
            return
        told = drive.Report(report, report_period, t_start, duration)
        with closing(begun) as going:
            try:
                going.prepare()
                told.begin()
                self._go(going, told)
            finally:
                try:
                    going.finish()
                finally:
                    network.t_ = going.t
                    self._position = network.t_ + shift
        if not (network._stopped or Network._globally_stopped):
            network.t_ = float(t_end)
        self._position = network.t_ + shift
        done = (network.t - t_start) / duration if duration > 0 else 1.0
        self._last_run_completed_fraction = done
        going.say_not_finite()
        drive.check_states(objects)
        told.end(done, self._last_run_time)
        network.after_run()
        if profile:
            spent = going.profile()
            network._profiling_info = [(name, t * second) for name, t in spent.items()]

    def begun(
        self, network: Any, duration: Any, namespace: Any, profile: bool = False
    ) -> drive.Drive | None:
        """A run of a network that is ready to go, to be closed; nothing for one without objects."""
        objects = network.sorted_objects
        self._prepare(network, duration, namespace)
        if not objects:
            return None
        machine = self._machine(objects, self._position - network.t_, profile)
        return drive.Drive(network, machine, self._limit())

    def prepared(self, network: Any, duration: Any, namespace: Any) -> tuple[Program, Setting]:
        """The program of a network and what a run of it is given, for someone else to run."""
        self._prepare(network, duration, namespace)
        program = build(network.sorted_objects)
        return program, drive.setting(program, self._keys(program), 0.0, False)

    def _machine(self, objects: list[Any], shift: float, profile: bool) -> Machine:
        program = build(objects)
        single = self._precision == "float32"
        keys = self._keys(program)
        setting = drive.setting(program, keys, shift, profile, single, self._threads)
        of_gpu = self._of_gpu
        setting = replace(
            setting, deterministic=of_gpu["deterministic"], fast_math=of_gpu["fast_math"]
        )
        make = self._targets[self._target][1]
        if self._precision == "fixed":
            require_known(self.prescribed, program.arrays)
            assert self._make_fixed is not None
            machine = self._make_fixed(program, setting, make, self.prescribed)
        else:
            machine = make(program, setting)
        self.fixed = getattr(machine, "fixed", None)
        self.made = machine.made
        return machine

    def _go(self, going: drive.Drive, told: drive.Report) -> None:
        """The loop; where Python ends it, say how far it came."""
        began = time.monotonic()
        Network._globally_running = True
        try:
            going.go(told)
        except DeviceLost:
            raise
        except Exception:
            logger.warn(
                f"The run stopped at t = {going.t:g} s: all arrays are as that step left them.",
                "stopped",
            )
            raise
        finally:
            Network._globally_running = False
            self._last_run_time = time.monotonic() - began  # of the loop, as Brian2 takes it

    def _clear_unused(self, objects: list[Any]) -> None:
        """Let Brian2 warn of objects that no network includes, as it does at every run.

        That takes a tenth of a second, so a network that goes on with the same objects does not pay for it.
        """
        included = frozenset(map(id, objects))
        if included != self._included:
            gc.collect()
        self._included = included

    def _prepare(self, network: Any, duration: Any, namespace: Any) -> None:
        network._clocks = {obj.clock for obj in network.sorted_objects}
        for clock in network._clocks:
            clock.set_interval(network.t, network.t + duration)
        self._preparing = True
        try:
            network.before_run(namespace)
        except BrianObjectException as error:
            refusal = _refusal(error, getattr(self._targets[self._target][0], "language", "C++"))
            if refusal is error:
                raise
            raise refusal from error
        finally:
            self._preparing = False

    def _limit(self) -> float | None:
        return None if self._maximum_run_time is None else float(self._maximum_run_time)

    # ---------------------------------------------------------------------------- random numbers

    def seed(self, seed: int | None = None) -> None:
        """Seed NumPy, from which the next run takes the seed of our own numbers."""
        super().seed(seed)
        self._seed, self._position = None, 0.0
        self._streams.clear()
        self._numbers = itertools.count()

    def network_restore(self, network: Any, *given: Any, **keywords: Any) -> None:
        """`brian2.Network.restore`; without ``restore_random_state``, other numbers follow."""
        self._seed = None
        Network.restore.original_function(network, *given, **keywords)

    def get_random_state(self) -> dict[str, Any]:
        ours = {"neuroglia_seed": self._run_seed(), "neuroglia_position": self._position}
        return {**super().get_random_state(), **ours}

    def set_random_state(self, state: dict[str, Any]) -> None:
        super().set_random_state(state)
        self._seed = state.get("neuroglia_seed")
        self._position = state.get("neuroglia_position", 0.0)

    def _run_seed(self) -> int:
        if self._seed is None:
            low, high = np.random.randint(0, 2**32, 2, np.uint64)
            self._seed = int(low) | int(high) << 32
        return self._seed

    def _keys(self, program: Program) -> list[draws.Keys]:
        """Of each draw; every object has a stream of its own for as long as it lives."""
        if not program.draws:
            return []
        seed = self._run_seed()
        keys = []
        for owner, place in program.draws:
            if owner not in self._streams:
                self._streams[owner] = next(self._numbers)
            dt = clocks.values(owner.clock, "dt")
            step = 0.0 if dt is None else float(dt[0])
            keys.append(draws.key(seed, self._streams[owner], place, step))
        return keys


def _aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """An array that is not filled, and begins at a multiple of 64 bytes."""
    room = np.empty(size * dtype.itemsize + 63, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size * dtype.itemsize].view(dtype)


def _refusal(error: BrianObjectException, language: str) -> Exception:
    """A refusal where Brian2 found that a function cannot be called, and the error itself elsewhere."""
    cause = error.__cause__
    if isinstance(cause, Refused):
        return cause
    if isinstance(cause, NotImplementedError) and str(cause).startswith("GSL integration"):
        owner = str(error._brian_objname).removesuffix("_stateupdater")
        return refuse(owner, "an integrator of the GSL")
    found = re.match("Cannot use function '(.*?)'", str(cause))
    if not isinstance(cause, NotImplementedError) or not found:
        return error
    feature = f"the function '{found[1]}', which has no implementation in {language},"
    return refuse(error._brian_objname, feature, "target='numpy' runs Python functions")


def _forget_code(network: Any) -> None:
    """Let Brian2 make all code objects anew, for whatever device runs the network next."""
    for obj in network.sorted_objects:
        if isinstance(obj, SynapticPathway):
            obj._pushspikes_codeobj = None
            obj.code_objects.clear()
