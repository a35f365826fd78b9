"""The backend classes: a request as a network of Lava processes, and what they leave as an outcome."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

import numpy as np

from neuroglia_snn import couplings, spec
from neuroglia_snn import equations as eqs
from neuroglia_snn.backends.base import Outcome, Recorded, Request, require_replicas
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.backends.brian.network import recorded_indices
from neuroglia_snn.backends.lava import _compat, shared
from neuroglia_snn.errors import BackendError, NumericalError
from neuroglia_snn.fixedpoint import recorded
from neuroglia_snn.fixedpoint.integers import Integers
from neuroglia_snn.fixedpoint.quantise import FixedProgram
from neuroglia_snn.lowering import lower, reason
from neuroglia_snn.lowering.execute import Floats, PopulationRun
from neuroglia_snn.lowering.messages import with_messages
from neuroglia_snn.lowering.operations import Population, Program
from neuroglia_snn.native import build, deviation
from neuroglia_snn.native.generate import source
from neuroglia_snn.native.run import NativeRun

_NUMERICAL = "NumericalError: "


class LavaBackend:
    """One process a population, with its stencil inside and many numerical steps in a Lava step."""

    name = "lava"
    precisions: tuple[str, ...] = ("float", "fixed")
    threaded = False
    resumes = False
    batch = 1
    messages = False

    def unsupported(self, model: spec.Model) -> str | None:
        """Lava must be there, and the model's equations must have a lowering."""
        return _compat.missing() or reason(model) or _unsuited(model)

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run replicas one after the other."""
        require_replicas(requests)
        return [self.run(request) for request in requests]

    def run(self, request: Request) -> Outcome:
        """Run in processes of their own.

        Raises
        ------
        BackendError
            Where Lava is missing, the model has no lowering, or a process fails.
        NumericalError
            Where the integration overflows.
        """
        said = _compat.missing() or _unsuited(request.model)  # lowering says the rest
        if said:
            raise BackendError(said)
        start = time.perf_counter()
        job = _Job(request, self.messages)
        built = time.perf_counter()
        job.run()
        return Outcome(
            records=job.records(),
            events={},
            final=job.final(),
            build_seconds=built - start,
            run_seconds=time.perf_counter() - built,
            compiled=False,
            versions=collect.versions() | {"lava-nc": metadata.version("lava-nc")},
            details={"lava": job.details()},
            warnings=job.warnings(),
        )


class LavaMessagesBackend(LavaBackend):
    """As on hardware: every connection a process, a message in each step, one step under way."""

    name = "lava-messages"
    messages = True


def _unsuited(model: spec.Model) -> str | None:
    """What has a lowering and yet no place in Lava processes."""
    return _records(model) or _connected(model)


def _records(model: spec.Model) -> str | None:
    for record in model.records.values():
        own = eqs.parse(model.populations[record.population].equations)
        filled = {s.variable for s in model.stimuli.values() if s.population == record.population}
        if record.events:
            return f"record '{record.name}': events (record a variable that the reset sets)"
        for variable in record.variables:
            if own[variable].kind == "subexpression" or variable in filled:
                return f"record '{record.name}': '{variable}' is no variable that a process holds"
    return None


def _connected(model: spec.Model) -> str | None:
    """Lava runs one connected network."""
    reached = {next(iter(model.populations))}
    while True:
        more = {
            n
            for p in model.projections.values()
            if {p.source.name, p.target.name} & reached
            for n in (p.source.name, p.target.name)
        }
        if more <= reached:
            break
        reached |= more
    alone = [n for n in model.populations if n not in reached]
    return f"population '{alone[0]}' is connected to no other" if alone else None


@dataclass
class _Recorded:
    every: float
    units: np.ndarray
    samples: np.ndarray


class _Job:
    """One run: the program, the shared memory that it writes, and the processes."""

    def __init__(self, request: Request, messages: bool):
        self._request, self._messages = request, messages
        program = lower(request.model, request.images)
        program = self._program = with_messages(program) if messages else program
        self._fixed: FixedProgram | None = None
        if request.precision == "fixed":
            self._fixed = recorded.formats(request.model, program, request.seed)
            self._program = self._fixed.program
            self._compared = deviation.compare(program, self._fixed, request.seed, messages)
        self._dtype = np.int64 if self._fixed else np.float64
        self._block = 1 if messages else self._common_period()
        self._report = shared.Report()
        self._recorded: dict[str, _Recorded] = {}
        self._final: dict[str, dict[str, np.ndarray]] = {}
        self._saturated = {n: shared.array((1,), np.int64) for n in self._program.populations}
        self._make = maker(self._program, request.seed, self._fixed is not None)

    def _common_period(self) -> int:
        """The most steps that can pass between two exchanges or samples."""
        program = self._program
        periods = [p.period for p in program.populations.values() if p.period > 1]
        periods += [c.period for c in program.couplings.values()]
        periods += [round(r.every / program.dt) for r in self._request.model.records.values()]
        return math.gcd(program.steps, *periods) if periods else math.gcd(program.steps, 50)

    def run(self) -> None:
        """Build the processes and run them."""
        from neuroglia_snn.backends.lava import network, session

        plans = {n: self._plan(p) for n, p in self._program.populations.items()}
        root, models = network.connect(plans, self._program, self._fixed is not None)
        progress, dt, steps = self._request.progress, self._program.dt, self._program.steps

        def look() -> None:
            if progress:
                reached = int(self._report.step[0])
                progress(reached / steps, reached * dt)

        tag = "fixed_pt" if self._fixed else "floating_pt"
        try:
            session.run(root, models, steps // self._block, tag, self._report, look)
        except session.LavaFailure as failure:
            if _NUMERICAL in str(failure):
                raise NumericalError(str(failure).split(_NUMERICAL, 1)[1]) from None
            raise
        if progress:
            progress(1.0, steps * dt)

    def _plan(self, population: Population):
        from neuroglia_snn.backends.lava.population import Plan, Recording

        recordings = []
        for record in self._request.model.records.values():
            if record.population != population.name:
                continue
            period = round(record.every / self._program.dt)
            units = np.zeros(1, int)
            if record.reduce is None:
                units = recorded_indices(
                    self._request.model.populations[population.name], record.stride
                )
            count = -(-self._program.steps // period)
            shape = (count, len(record.variables), units.size)
            samples = shared.array(shape, np.float64 if record.reduce else self._dtype)
            self._recorded[record.name] = _Recorded(period * self._program.dt, units, samples)
            recordings.append(Recording(record, period, units, samples))
        self._final[population.name] = {
            n: shared.array((population.size,), self._dtype) for n in population.initial
        }
        couplings = self._program.couplings.values()
        return Plan(
            population=population,
            make=functools.partial(self._make, population),
            block=self._block,
            steps=self._program.steps,
            receives={f"a_{c.variable}": c for c in couplings if c.target == population.name},
            sends={f"s_{c.name}": c for c in couplings if c.source == population.name},
            pooled=not self._messages,
            recordings=tuple(recordings),
            final=self._final[population.name],
            saturated=self._saturated[population.name],
            report=self._report,
        )

    # ------------------------------------------------------------------ results

    def _decoded(self, population: str, variable: str, values: np.ndarray) -> np.ndarray:
        if self._fixed is None:
            return np.array(values)
        return self._fixed.formats[population][variable].decode(values)

    def records(self) -> dict[str, Recorded]:
        """The model's records in SI units."""
        result = {}
        for name, kept in self._recorded.items():
            record = self._request.model.records[name]
            values = {
                v: self._decoded(record.population, v, kept.samples[:, n])
                for n, v in enumerate(record.variables)
            }
            times = np.arange(len(kept.samples)) * kept.every
            result[name] = Recorded(times, kept.units, values)
        return result

    def final(self) -> dict[str, dict[str, np.ndarray]]:
        """Last values of every variable that the model names."""
        result = {}
        for name, arrays in self._final.items():
            own = lower_names(self._request.model, name)
            result[name] = {
                v: self._decoded(name, v, values) for v, values in arrays.items() if v in own
            }
        return result

    def details(self) -> dict[str, object]:
        """Granularity, and in fixed point the formats and what saturated."""
        said: dict[str, object] = {
            "granularity": "messages" if self._messages else "fast",
            "steps_per_lava_step": self._block,
        }
        if self._fixed:
            said["formats"] = recorded.states(self._fixed)
            said["saturated"] = {n: int(v[0]) for n, v in self._saturated.items()}
            said["against_float"] = self._compared.details()
            said["warnings"] = list(self.warnings())
        return said

    def warnings(self) -> tuple[str, ...]:
        """Where integers do not do what floating point does."""
        if not self._fixed:
            return ()
        return (*self._fixed.standing, *self._compared.warnings())


def lower_names(model: spec.Model, population: str) -> set[str]:
    """Variables of a population in the model file that outlive a step."""
    own = eqs.parse(model.populations[population].equations)
    return set(own) - couplings.inputs(couplings.recomputed(model, population))


def maker(program: Program, seed: int, fixed: bool) -> Callable[[Population], PopulationRun]:
    """Makes runs of populations: in generated C++ where there is a compiler, else in NumPy."""
    arithmetic: Mapping[bool, type] = {True: Integers, False: Floats}
    library = None if build.missing() else build.library(source(program, fixed))

    def make(population: Population) -> PopulationRun:
        numbers = arithmetic[fixed](population, seed)
        if library is None:
            return PopulationRun(population, numbers, program.dt)
        return NativeRun(population, numbers, program.dt, library, seed)

    return make
