"""Astrocytes whose calcium decides: the equations of a model file in place of the counter.

The file's astrocyte is read, not retyped: its equations, parameters and initial state, the event that
drives it, and how long one presentation lasts (the period of the training stimulus). A presentation in
which the kernel is active is the file's driving event; between events the file's own equations run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from neuroglia_snn.backends.torch import System
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import UserError

#: Step of the integration in seconds; a tenth of it changes the published calcium by 3e-5 of itself.
_STEP = 1e-3
#: The explicit midpoint rule, which sees a drive of whole steps begin and end exactly.
_SCHEME = "rk2"
#: Calcium below this multiple of its initial value counts as resting; one presentation adds 8 %.
_RESTING = 1.05
#: A history is the bits of a 64-bit number.
MOST_PRESENTATIONS = 62


@dataclass(frozen=True)
class CalciumModel:
    """The astrocyte of a model file, ready to integrate; numbers in SI units.

    ``calcium`` names the variable of ``system`` that releases gliotransmitter above ``threshold``; the
    population's reset, run at the start of a presentation of ``presentation`` seconds, drives it.
    """

    system: System
    calcium: str
    threshold: float
    presentation: float
    _known: dict[int, dict[str, Tensor]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._known[1] = self.system.initial((1,), torch.float64)

    @classmethod
    def of(cls, name_or_path: str = "noise_induced_memory") -> CalciumModel:
        """Read the astrocyte of a model whose experiment is an associative memory.

        Raises
        ------
        UserError
            If the file cannot be read, or has no such astrocyte.
        """
        model = load(name_or_path)
        e = model.experiment
        name = str(e.get("glia"))
        training = model.stimuli.get(str(e.get("train")))
        threshold = model.parameters.get("Ca_glio")
        if name not in model.populations or training is None or threshold is None:
            raise UserError(
                f"model '{model.name}' has no astrocyte to take: it needs [experiment] glia and"
                " train, and the parameter Ca_glio"
            )
        glia = replace(model.populations[name], integrator=_SCHEME)
        if not glia.reset:
            raise UserError(f"population '{name}' of '{model.name}' has no driving event (reset)")
        system = System(replace(model, populations={name: glia}), name)
        return cls(system, str(e["calcium"]), threshold.value.si, training.period)

    @property
    def resting(self) -> float:
        """Initial calcium, in mol/m^3 (mM)."""
        return float(self._known[1][self.calcium])

    def after(self, histories: np.ndarray) -> np.ndarray:
        """Calcium after histories of presentations, in mol/m^3 (mM), of the histories' shape.

        A history is a whole number whose bits, after a leading 1, say in which presentations the
        kernel was active; all its beginnings must have been asked for before. There are far fewer
        histories than kernels and images, and each is integrated once.
        """
        distinct, which = np.unique(histories, return_inverse=True)
        new = [int(history) for history in distinct if int(history) not in self._known]
        if new:
            self._advance(new)
        calcium = np.array([float(self._known[int(h)][self.calcium]) for h in distinct])
        return calcium[which.reshape(histories.shape)]

    def _advance(self, histories: list[int]) -> None:
        """Integrate over the last presentation of some histories, all of the same length."""
        before = [self._known[history >> 1] for history in histories]
        state = {name: torch.cat([known[name] for known in before]) for name in before[0]}
        active = torch.tensor(histories) % 2 == 1
        steps = max(1, round(self.presentation / _STEP))
        dt = self.presentation / steps
        start = (histories[0].bit_length() - 2) * steps
        driven = self.system.reset(state, start * dt)
        state = {name: torch.where(active, driven[name], value) for name, value in state.items()}
        for n in range(start, start + steps):
            state = self.system.step(state, t=n * dt, dt=dt)
        for n, history in enumerate(histories):
            self._known[history] = {name: value[n : n + 1] for name, value in state.items()}


class Calcium:
    """One Li-Rinzel astrocyte for each kernel and image; see `Astrocytes`.

    It reinforces while its calcium is above the model's threshold of release, and weakens where calcium
    is still at rest (within 5 % of its initial value) after presentation mu.
    """

    def __init__(self, mu: int, model: CalciumModel):
        self._mu, self._model = mu, model
        self._seen = 0
        self._histories = np.ones(1, np.int64)

    @property
    def settled(self) -> bool:
        """Never: calcium rises and falls as long as presentations last."""
        return False

    def observe(self, active: Tensor) -> Tensor:
        """Integrate over one presentation; see `Astrocytes`."""
        self._seen += 1
        if self._seen > MOST_PRESENTATIONS:
            raise UserError(f"calcium follows at most {MOST_PRESENTATIONS} presentations: lower k")
        self._histories = 2 * self._histories + active.cpu().numpy()
        calcium = self._model.after(self._histories)
        resting = calcium < _RESTING * self._model.resting
        weakens = resting & (self._seen >= self._mu)
        trigger = np.where(calcium > self._model.threshold, 1, np.where(weakens, -1, 0))
        return torch.from_numpy(trigger).to(active.device)
