"""Beyond the paper: noisy units, an astrocyte for every group of them, and a baseline of LIF units."""

from __future__ import annotations

import snntorch
import torch

from neuroglia_snn.backends.base import Progress
from neuroglia_snn.backends.torch import System
from neuroglia_snn.errors import NumericalError, UserError
from neuroglia_snn.papers.fhn_classifier.response import Protocol


def integrate_groups(
    units: System,
    astrocytes: System,
    protocol: Protocol,
    inputs: torch.Tensor,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Integrate units and the astrocytes that watch them, as ``models/fhn_astrocytes.toml`` says.

    Each astrocyte has its ``activity`` from the mean of its group's ``up``, and every unit of the group
    its ``I_astro`` from the astrocyte's ``I_out``, with the values of the step before.

    Parameters
    ----------
    units, astrocytes : the two populations
    protocol : which output of the units is recorded, and when
    inputs : tensor (images, units), constant

    Returns
    -------
    tensor (images, units, samples)

    Raises
    ------
    NumericalError
        If noise drives a unit to infinity.
    """
    transient, between = protocol.steps(units.dt)
    images, count = inputs.shape
    groups = astrocytes.population.size
    if count % groups:
        raise UserError(f"{count} units cannot be shared by {groups} astrocytes")
    neurons = units.initial(inputs.shape, inputs.dtype)
    neurons[protocol.input] = inputs
    glia = astrocytes.initial((images, groups), inputs.dtype)
    found, steps = [], transient + protocol.samples * between
    with torch.inference_mode():
        for step in range(1, steps + 1):
            up = units.value("up", neurons).to(inputs.dtype)
            glia["activity"] = up.view(images, groups, -1).mean(2)
            current = astrocytes.value("I_out", glia)
            neurons["I_astro"] = current.repeat_interleave(count // groups, 1)
            neurons, glia = units.step(neurons, generator), astrocytes.step(glia, generator)
            if step > transient and (step - transient) % between == 0:
                found.append(neurons[protocol.output])
                if progress:
                    progress(step / steps, step * units.dt)
        outputs = torch.stack(found, -1)
    if not bool(outputs.isfinite().all()):
        raise NumericalError("units with this noise blow up: use a smaller D or model.dt")
    return outputs


class LeakyCount:
    """Mean number of spikes of snnTorch's Leaky units with a constant current, for comparison.

    Parameters
    ----------
    steps : int
        Time steps for which the current stays.
    beta : float
        Decay of the membrane in a step.
    """

    def __init__(self, steps: int = 25, beta: float = 0.9):
        self.steps = steps
        self.layer = snntorch.Leaky(beta=beta, init_hidden=False)

    def __call__(self, weighted: torch.Tensor) -> torch.Tensor:
        mem = torch.zeros_like(weighted)
        total = torch.zeros_like(weighted)
        for _ in range(self.steps):
            spk, mem = self.layer(weighted, mem)
            total = total + spk
        return total / self.steps
