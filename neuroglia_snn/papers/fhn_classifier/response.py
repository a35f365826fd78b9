"""What a unit does with a constant input, integrated once for every input that may occur.

All hidden units start from the same state and their input is constant, so the output at time t is a
function of that one number. A table over it, refined until interpolation is exact enough, serves any
number of images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from neuroglia_snn.backends.base import Progress
from neuroglia_snn.backends.torch import System
from neuroglia_snn.errors import NumericalError, UserError

#: Into how many an interval is divided that is not exact enough.
_PARTS = 4
#: Points of the first, even grid, and the most times that a time step is halved.
_COARSE, _MAX_SUBSTEPS = 513, 128
#: Units that are integrated together: their numbers stay in a core's cache.
_BATCH = 4096


@dataclass(frozen=True)
class Protocol:
    """Which output is looked at, and when: ``samples`` times within ``control`` after ``transient``.

    Times in seconds. The samples end the intervals of control/samples.
    """

    input: str
    output: str
    transient: float
    control: float
    samples: int

    def steps(self, dt: float) -> tuple[int, int]:
        """Time steps of the transient, and between two samples.

        Raises
        ------
        UserError
            If one of them is not a whole number.
        """
        counts = []
        for what, time in (
            ("the transient", self.transient),
            ("the time between two samples (control/samples)", self.control / self.samples),
        ):
            count = round(time / dt)
            if count < 1 or abs(count * dt - time) > 1e-6 * time:
                raise UserError(
                    f"{what}, {time * 1e3:g} ms, is not a multiple of the time step {dt * 1e3:g} ms"
                )
            counts.append(count)
        return counts[0], counts[1]

    @property
    def times(self) -> np.ndarray:
        """Of the samples, in seconds from the start of the control time."""
        return np.arange(1, self.samples + 1) * self.control / self.samples


def integrate(
    system: System,
    protocol: Protocol,
    inputs: torch.Tensor,
    substeps: int = 1,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Integrate one unit for each constant input.

    Parameters
    ----------
    system : the unit's equations
    protocol : what is recorded
    inputs : tensor of any shape, in SI units
    substeps : int
        Time steps in the place of each of the model's.

    Returns
    -------
    tensor (*inputs.shape, samples)
        Output of every unit; NaN or inf where the integration is unstable.
    """
    with torch.inference_mode():
        found = _integrate(system, protocol, inputs, substeps, generator)
    return found.clone()  # an ordinary tensor again


def _integrate(
    system: System,
    protocol: Protocol,
    inputs: torch.Tensor,
    substeps: int,
    generator: torch.Generator | None,
) -> torch.Tensor:
    dt = system.dt / substeps
    transient, between = protocol.steps(system.dt)
    state = system.initial(inputs.shape, inputs.dtype, inputs.device)
    state[protocol.input] = inputs
    for _ in range(transient * substeps):
        state = system.step(state, generator, dt=dt)
    found = []
    for _ in range(protocol.samples):
        for _ in range(between * substeps):
            state = system.step(state, generator, dt=dt)
        found.append(state[protocol.output])
    return torch.stack(found, -1)


@dataclass(frozen=True)
class Table:
    """Output of a unit at each sample time for inputs between ``inputs[0]`` and ``inputs[-1]``.

    Attributes
    ----------
    inputs : tensor (points,), float64, ascending
    values : tensor (points, samples), float32
    tolerance : float
        Largest error of interpolation aimed at, in the output's unit.
    unresolved : float
        Part of the range of inputs where points as close as the finest spacing differ by more.
    """

    inputs: torch.Tensor
    values: torch.Tensor
    tolerance: float
    unresolved: float

    def place(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Index of the point left of each input, and how far the input is on to the next, 0 to 1."""
        grid = self.inputs
        i = torch.searchsorted(grid, inputs.detach().double()).clamp_(1, len(grid) - 1) - 1
        part = (inputs.double() - grid[i]) / (grid[i + 1] - grid[i])
        return i, part.to(self.values.dtype)

    def outputs(self, inputs: torch.Tensor) -> torch.Tensor:
        """Interpolated output, (*inputs.shape, samples)."""
        i, part = self.place(inputs)
        return torch.lerp(self.values[i], self.values[i + 1], part[..., None])


def tabulate(
    system: System,
    protocol: Protocol,
    low: float,
    high: float,
    tolerance: float = 0.05,
    finest: float = 1e-5,
    progress: Progress | None = None,
) -> Table:
    """Integrate a unit for inputs from ``low`` to ``high``, closer where the output changes fast.

    An interval is divided until the output at the new points is, at every sample time, within
    ``tolerance`` of what its ends say, or until it is ``finest`` times the range. Time steps are
    halved, for each part of the first even grid, until that changes the output by less than
    ``tolerance``, and where that never happens as often as keeps it finite.

    Raises
    ------
    NumericalError
        If no time step keeps the integration finite.
    """
    grid = torch.linspace(low, high, _COARSE, dtype=torch.float64)
    values, substeps = _coarse(system, protocol, grid, tolerance)
    left = torch.arange(_COARSE - 1)  # intervals to divide, by their left ends
    width, last, rounds = (high - low) / (_COARSE - 1), finest * (high - low), 0
    total = max(1, round(np.log(width / last) / np.log(_PARTS)))
    unresolved = 0.0
    while len(left):
        part = torch.arange(1, _PARTS, dtype=torch.float64) / _PARTS
        new = torch.lerp(grid[left, None], grid[left + 1, None], part)  # intervals, new points
        fine = torch.maximum(substeps[left], substeps[left + 1])[:, None].expand(new.shape)
        found = _by_substeps(system, protocol, new.flatten(), fine.flatten())
        guess = torch.lerp(values[left, None], values[left + 1, None], part[:, None])
        error = (found.view(guess.shape) - guess).abs().amax((1, 2))
        width /= _PARTS
        again = error > tolerance
        if width < last:
            unresolved = float(again.sum()) * _PARTS * width / (high - low)
            again[:] = False
        marked = torch.zeros(len(grid), dtype=torch.bool)
        marked[left] = again
        order = torch.argsort(torch.cat([grid, new.flatten()]))
        grid = torch.cat([grid, new.flatten()])[order]
        values = torch.cat([values, found])[order]
        substeps = torch.cat([substeps, fine.flatten()])[order]
        marked = torch.cat([marked, again[:, None].expand(new.shape).flatten()])[order]
        left = marked.nonzero().squeeze(1)
        rounds += 1
        if progress:
            progress(min(rounds / total, 0.99), 0.0)
    if progress:
        progress(1.0, 0.0)
    return Table(grid, values.float(), tolerance, unresolved)


def _coarse(
    system: System, protocol: Protocol, grid: torch.Tensor, tolerance: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs on the first grid, and the time steps in the place of one that each point needs."""
    substeps = torch.ones(len(grid), dtype=torch.int64)
    values = integrate(system, protocol, grid)
    pending = torch.arange(len(grid))
    n = 1
    while len(pending) and n < _MAX_SUBSTEPS:
        finer = integrate(system, protocol, grid[pending], 2 * n)
        settled = (finer - values[pending]).abs().amax(1) <= tolerance  # False where not finite
        improve = ~settled
        substeps[pending[improve]] = 2 * n
        values[pending[improve]] = finer[improve]
        pending = pending[improve]
        n *= 2
    if not bool(values.isfinite().all()):
        worst = float(grid[~values.isfinite().all(1)].abs().max())
        raise NumericalError(
            f"the unit's output is not finite for an input of {worst:g} even with a time step of"
            f" {system.dt * 1e3 / _MAX_SUBSTEPS:g} ms: use a smaller amplitude or model.dt"
        )
    return values, substeps


def _by_substeps(
    system: System, protocol: Protocol, inputs: torch.Tensor, substeps: torch.Tensor
) -> torch.Tensor:
    found = torch.empty(len(inputs), protocol.samples, dtype=inputs.dtype)
    for n in substeps.unique().tolist():
        for chosen in (substeps == n).nonzero().squeeze(1).split(_BATCH):
            found[chosen] = integrate(system, protocol, inputs[chosen], n)
    return found
