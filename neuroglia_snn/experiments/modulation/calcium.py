"""Astrocytes whose calcium decides: the equations of a model file in place of the counter.

The file's astrocyte is read, not retyped: its equations, parameters and initial state, the event that
drives it, and how long one presentation lasts (the period of the training stimulus). A presentation in
which the kernel is active is the file's driving event; between events the file's own equations run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import sympy
import torch
from brian2.parsing.sympytools import str_to_sympy
from torch import Tensor

from neuroglia_snn import equations, spec, stability
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import UserError
from neuroglia_snn.expressions import statements
from neuroglia_snn.quantities import UNITS

#: Step of the integration in seconds; a tenth of it changes the published calcium by 3e-5 of itself.
_STEP = 1e-3
#: Calcium below this multiple of its initial value counts as resting; one presentation adds 8 %.
_RESTING = 1.05
#: A history is the bits of a 64-bit number.
MOST_PRESENTATIONS = 62


@dataclass(frozen=True)
class CalciumModel:
    """The astrocyte of a model file, ready to integrate; numbers in SI units.

    ``slopes`` gives the derivatives of the state (Ca first), ``drive`` the name of the variable that
    the driving event sets to the time; calcium above ``threshold`` releases gliotransmitter.
    """

    slopes: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    initial: np.ndarray
    threshold: float
    presentation: float
    _known: dict[int, tuple[np.ndarray, float]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._known[1] = (self.initial, -np.inf)

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
        glia = model.populations.get(str(e.get("glia")))
        training = model.stimuli.get(str(e.get("train")))
        threshold = model.parameters.get("Ca_glio")
        if glia is None or training is None or threshold is None:
            raise UserError(
                f"model '{model.name}' has no astrocyte to take: it needs [experiment] glia and"
                " train, and the parameter Ca_glio"
            )
        state = [n for n, q in equations.parse(glia.equations).items() if q.kind == "differential"]
        calcium = str(e["calcium"])
        state.sort(key=lambda name: name != calcium)
        values = stability.initial_values(model, glia)
        initial = np.array([values[name] for name in state])
        slopes = _slopes(glia, state, _drive(glia), values)
        return cls(slopes, initial, threshold.value.si, training.period)

    def after(self, histories: np.ndarray) -> np.ndarray:
        """Calcium after histories of presentations, in mol/m^3 (mM), of the histories' shape.

        A history is a whole number whose bits, after a leading 1, say in which presentations the
        kernel was active; all its beginnings must have been asked for before. There are far fewer
        histories than kernels and images, and each is integrated once.
        """
        distinct, which = np.unique(histories, return_inverse=True)
        new = [int(history) for history in distinct if int(history) not in self._known]
        if new:
            states, drives = zip(*(self._known[history >> 1] for history in new), strict=True)
            start = (new[0].bit_length() - 2) * self.presentation
            driven = np.where(np.array(new) % 2, start, drives)
            state = self._advance(np.stack(states, axis=1), driven, start)
            self._known.update(zip(new, zip(state.T, driven, strict=True), strict=True))
        calcium = np.array([self._known[int(history)][0][0] for history in distinct])
        return calcium[which.reshape(histories.shape)]

    def _advance(self, state: np.ndarray, driven: np.ndarray, start: float) -> np.ndarray:
        """The states one presentation later (explicit midpoint rule); ``driven`` are times in s."""
        steps = max(1, round(self.presentation / _STEP))
        dt = self.presentation / steps
        for n in range(steps):
            t = start + n * dt
            middle = state + dt / 2 * self.slopes(state, driven, t)
            state = state + dt * self.slopes(middle, driven, t + dt / 2)
        return state


def _drive(glia: spec.Population) -> str:
    """The variable that the population's event sets to the present time."""
    for target, operator, expression in statements(glia.reset or ""):
        if (operator, expression) == ("=", "t"):
            return target
    raise UserError(f"population '{glia.name}' notes no time of its drive (reset = \"... = t\")")


def _slopes(
    glia: spec.Population, state: Sequence[str], drive: str, values: dict[str, float]
) -> Callable[[np.ndarray, np.ndarray, float], np.ndarray]:
    """Derivatives of the state as one compiled function of (state, time of the drive, time)."""
    own = equations.parse(glia.equations)
    known = {
        name: str_to_sympy(equation.expression)
        for name, equation in own.items()
        if equation.expression and equation.kind == "subexpression"
    }
    rates = [str_to_sympy(own[name].expression) for name in state]
    while any(str(symbol) in known for rate in rates for symbol in rate.free_symbols):
        rates = [_replace(rate, known) for rate in rates]
    free = {*state, drive, "t"}
    constants = {n: v for n, v in values.items() if n not in free and not callable(v)}
    constants |= {name: float(unit) for name, unit in UNITS.items() if name not in constants}
    rates = [_replace(rate, constants) for rate in rates]
    arguments = [_symbol(rates, name) for name in (*state, drive, "t")]
    indicator = {"int_": lambda condition: np.where(condition, 1.0, 0.0)}
    compiled = sympy.lambdify(arguments, rates, modules=[indicator, "numpy"], cse=True)

    def slopes(state: np.ndarray, driven: np.ndarray, t: float) -> np.ndarray:
        return np.stack(np.broadcast_arrays(*compiled(*state, driven, t)))

    return slopes


def _replace(expression: sympy.Expr, values: dict) -> sympy.Expr:
    return expression.subs({s: values[str(s)] for s in expression.free_symbols if str(s) in values})


def _symbol(rates: Sequence[sympy.Expr], name: str) -> sympy.Symbol:
    """The symbol of this name as it stands in the rates (Brian2's carry assumptions)."""
    used = {str(symbol): symbol for rate in rates for symbol in rate.free_symbols}
    return used.get(name, sympy.Symbol(name))


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
        resting = calcium < _RESTING * self._model.initial[0]
        weakens = resting & (self._seen >= self._mu)
        trigger = np.where(calcium > self._model.threshold, 1, np.where(weakens, -1, 0))
        return torch.from_numpy(trigger).to(active.device)
