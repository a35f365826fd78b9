"""Integration schemes, each with its declared orders and stability limit.

All but ``exact`` are our own (`neuroglia_snn.language.stages`), the same on every backend; ``exact`` is the
solution that Brian2 derives. Orders: Kloeden & Platen, Numerical Solution of Stochastic Differential Equations (1992),
chapters 10 and 14; Rumelin, SIAM J. Numer. Anal. 19 (1982) 604.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Integrator:
    """One scheme.

    Attributes
    ----------
    name : str
        As written in a model file.
    noise : {"stratonovich", "ito", None}
        To which solution it converges; None: deterministic equations only.
    order : float
        Order of convergence without noise.
    strong_order : float or None
        Strong order with multiplicative scalar noise.
    limit : float
        Largest stable ``rate * dt`` for dx/dt = -rate x; inf for exact schemes.
    own : bool
        Ours, as code from `neuroglia_snn.language.stages`; otherwise Brian2's method of this name.
    """

    name: str
    noise: str | None
    order: float
    strong_order: float | None
    limit: float
    own: bool = False


INTEGRATORS: dict[str, Integrator] = {
    scheme.name: scheme
    for scheme in (
        Integrator("heun", "stratonovich", 2, 1.0, 2.0, own=True),
        Integrator("milstein", "stratonovich", 1, 1.0, 2.0, own=True),
        Integrator("euler-maruyama", "ito", 1, 0.5, 2.0, own=True),
        Integrator("euler", None, 1, None, 2.0, own=True),
        Integrator("rk2", None, 2, None, 2.0, own=True),
        Integrator("rk4", None, 4, None, 2.785, own=True),
        Integrator("exponential_euler", None, 1, None, float("inf"), own=True),
        Integrator("exact", None, float("inf"), None, float("inf")),
    )
}
