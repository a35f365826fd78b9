"""Integration schemes of a network: Brian2's by name, callables by what they do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brian2
from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException
from brian2.utils.stringtools import word_substitute

from neuroglia_snn.backends.brian.network import state_updater
from neuroglia_snn.exchange import schemes
from neuroglia_snn.language.integrators import INTEGRATORS

#: Brian2's names of schemes that are the same here.
_SAME = {"euler": "euler", "rk2": "rk2", "rk4": "rk4", "exact": "exact", "linear": "exact"}
_SAME["exponential_euler"] = "exponential_euler"


@dataclass(frozen=True)
class Scheme:
    """A scheme of ours; ``two_parts`` if the corrector stands among what is run regularly."""

    name: str
    two_parts: bool = False

    @property
    def noise(self) -> str | None:
        """The interpretation of the noise."""
        return INTEGRATORS[self.name].noise

    def helpers(self, group: Any) -> set[str]:
        """Variables that only carry values from the first part to the second."""
        kept = {f"{n}_predicted" for n in group.variables} | {
            f"drawn_{xi}" for xi in group.equations.stochastic_variables
        }
        return kept & set(group.variables)

    def is_second_part(self, group: Any, one: Any) -> bool:
        """Whether statements are the corrector of this scheme."""
        if not self.two_parts or getattr(one, "when", "") != "groups":
            return False
        moved = set(group.equations.diff_eq_names)
        sums = sorted(
            n for n in group.variables if n not in moved and f"{n}_predicted" in group.variables
        )
        wanted = _defined()["corrector"](group, sums)
        return sorted(str(one.abstract_code).split("\n")) == sorted(wanted.split("\n"))


def scheme(method: Any, equations: Any, variables: dict[str, Any]) -> tuple[Scheme | None, str]:
    """The scheme that a ``method`` argument is for these equations; else None, and what it is."""
    if callable(method):
        return _by_deed(method, equations, variables)
    if isinstance(method, str):
        return _by_name(method.lower(), equations)
    for one in method:
        try:
            StateUpdateMethod.apply_stateupdater(equations, variables, one)
        except UnsupportedEquationsException:
            continue
        return scheme(one, equations, variables)
    return None, "a step of equations that no method of Brian2's takes"


def _by_name(name: str, equations: Any) -> tuple[Scheme | None, str]:
    if name == "euler" and equations.stochastic_variables:
        return Scheme("euler-maruyama"), ""
    if name in _SAME:
        return Scheme(_SAME[name]), ""
    if name == "heun":
        return None, (
            "Brian2's method 'heun', whose drift is that of the Euler scheme"
            " (neuroglia_snn.state_updater('heun') is the one of a model file)"
        )
    if name == "milstein":
        return None, (
            "Brian2's method 'milstein', which is of strong order 1/2"
            " (neuroglia_snn.state_updater('milstein') is the one of a model file)"
        )
    return None, f"the method '{name}'"


def _by_deed(
    method: Callable, equations: Any, variables: dict[str, Any]
) -> tuple[Scheme | None, str]:
    """The scheme of ours that writes the same code."""
    written = _code(method, equations, variables)
    for name, known in _known():
        if written is not None and written == _code(known, equations, variables):
            two_parts = name == "predictor"
            return Scheme("heun" if two_parts else name, two_parts), ""
    called = getattr(method, "__name__", type(method).__name__)
    return None, f"the method '{called}', which writes the step of none of its integrators"


def is_two_parts(method: Any) -> bool:
    """Whether a method may be the first part of a step."""
    return callable(method) and getattr(method, "__name__", "") == "predictor"


def _code(method: Callable, equations: Any, variables: dict[str, Any]) -> list[str] | None:
    copied = brian2.Equations([*equations.values()])  # which a method may write on
    try:
        code = method(copied, variables)
    except Exception:  # of whatever kind a function of the script raises
        return None
    return [line.strip() for line in str(code).strip().split("\n")]


@functools.lru_cache(maxsize=1)
def _defined() -> dict[str, Any]:
    """What the definitions of exported scripts define."""
    scope: dict[str, Any] = {"word_substitute": word_substitute}
    scope["ExplicitStateUpdater"] = brian2.ExplicitStateUpdater
    for lines in (schemes.HEUN, schemes.STAGES, schemes.EULER_MARUYAMA, schemes.MILSTEIN):
        exec(lines, scope)
    return scope


def _known() -> list[tuple[str, Callable]]:
    """Schemes of ours as functions, by name: those of exported scripts, and `state_updater`."""
    exported = _defined()
    found: list[tuple[str, Callable]] = [
        ("heun", exported["heun"]),
        ("euler-maruyama", exported["euler_maruyama"]),
        ("milstein", exported["milstein"]),
        ("predictor", exported["predictor"]),
    ]
    return found + [(n, state_updater(n)) for n, one in INTEGRATORS.items() if one.own]
