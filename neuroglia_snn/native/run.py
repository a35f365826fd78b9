"""A population's run in generated C++, with the interface of `lowering.execute.PopulationRun`."""

from __future__ import annotations

import ctypes

import numpy as np

from neuroglia_snn.fixedpoint import integers
from neuroglia_snn.lowering.execute import Arithmetic, Floats, PopulationRun, ProgramRun
from neuroglia_snn.lowering.operations import Population, Program
from neuroglia_snn.native import build
from neuroglia_snn.native.generate import source

#: Steps for which it is worked out at once which stimuli are on.
_AHEAD = 1000


class NativeRun(PopulationRun):
    """As its parent, many steps at a time.

    Attributes
    ----------
    saturated : number of results that did not fit so far (fixed point)
    """

    def __init__(
        self,
        population: Population,
        arithmetic: Arithmetic,
        dt: float,
        library: ctypes.CDLL,
        seed: int,
    ):
        super().__init__(population, arithmetic, dt)
        self._type = np.int32 if arithmetic.dtype is np.int64 else np.float64
        self.arrays = {
            n: np.ascontiguousarray(v, self._type).copy() for n, v in self.arrays.items()
        }
        self._seed = seed
        self._registers = integers.registers(seed, population).copy()
        self._saturated = ctypes.c_int64(0)
        self._function = getattr(library, f"advance_{population.name}")
        self._function.restype = None
        self._pointers = _pointers(list(self.arrays.values()))
        self._frames = [self._frames_of(s) for s in population.stimulated]
        self._shown_frames = _pointers(self._frames)
        self._known_shown = [(0, np.zeros(0, np.int32)) for _ in self._frames]
        self._roundings = integers.registers(seed, population, integers.ROUNDING)
        self._register_pointers = [
            r.ctypes.data_as(ctypes.c_void_p) for r in (self._registers, self._roundings)
        ]

    @property
    def saturated(self) -> int:
        """Results that did not fit so far."""
        return self._saturated.value

    def take(self, variable: str, total: np.ndarray) -> None:
        self.arrays[variable][:] = total

    def advance(self, step: int) -> None:
        self.advance_many(step, 1)

    def advance_many(self, step: int, count: int) -> None:
        shown = [self._shown(n, step, count) for n in range(len(self._frames))]
        self._function(
            self._pointers,
            self._shown_frames,
            _pointers(shown),
            ctypes.c_uint32(self._seed),
            *self._register_pointers,
            ctypes.c_int64(step),
            ctypes.c_int64(count),
            ctypes.byref(self._saturated),
        )

    def _frames_of(self, stimulated) -> np.ndarray:
        """The sum of the stimuli for every set of them that may be on."""
        count = len(stimulated.values)
        frames = np.zeros((2**count, self.population.size), self._type)
        for chosen in range(2**count):
            for n, values in enumerate(stimulated.values):
                if chosen >> n & 1:
                    frames[chosen] += values.astype(self._type)
        return frames

    def _shown(self, number: int, step: int, count: int) -> np.ndarray:
        """Which frame each of these steps shows, and the one after; worked out for many at a time."""
        period = self.population.period
        first, known = self._known_shown[number]
        at = (step - first) // period
        if not 0 <= at < len(known) - count:
            stimulated = self.population.stimulated[number]
            on = stimulated.on(step + period * np.arange(count + _AHEAD), self.dt)
            known, at = (on << np.arange(on.shape[1])).sum(axis=1).astype(np.int32), 0
            self._known_shown[number] = (step, known)
        return known[at : at + count + 1]


def _pointers(arrays: list[np.ndarray]) -> ctypes.Array:
    return (ctypes.c_void_p * max(len(arrays), 1))(*(a.ctypes.data for a in arrays))


def native(program: Program, seed: int, fixed: bool, buffered: bool = False) -> ProgramRun:
    """A run of a program in C++ (`ProgramRun.advance` one step at a time)."""
    library = build.library(source(program, fixed))
    run = ProgramRun(program, {}, buffered)
    make = integers.Integers if fixed else Floats
    run.populations = {
        n: NativeRun(p, make(p, seed), program.dt, library, seed)
        for n, p in program.populations.items()
    }
    return run
