"""How much of each figure is computed: all of it, or about a tenth."""

from __future__ import annotations

from dataclasses import dataclass, replace

LATTICE = "noise_induced_excitability"
MEMORY = "noise_induced_memory"
#: The noise of the paper's Figs 3, 4 and 5 b, and the one that our lattice recalls best at.
PAPERS_NOISE, BEST_NOISE = "0.09", "0.12"


@dataclass(frozen=True)
class Form:
    """Values as ``--over`` takes them, and numbers of seeds.

    Attributes
    ----------
    couplings, sides, phase_noises, phase_seeds : of Fig. 2 (sides of the square lattice in f)
    noises, control_noises : of Fig. 5 a with and without astrocytes
    train_noises, train_at : of Fig. 5 b, and the noises sigma^2 that it is drawn for
    seeds : of all runs of the memory experiment
    """

    couplings: str
    sides: tuple[int, ...]
    phase_noises: str
    phase_seeds: int
    noises: str
    control_noises: str
    train_noises: str
    train_at: tuple[str, ...]
    seeds: int

    def with_seeds(self, number: int) -> Form:
        """The same points with ``number`` seeds each."""
        return replace(self, seeds=number, phase_seeds=number)


FULL = Form(
    couplings="20,40,60,80,100,130,160,200,250,300",
    sides=(3, 4, 5, 7, 10, 14, 20, 30, 40),
    phase_noises="0:0.12:25",
    phase_seeds=10,
    noises="0:0.2:21",
    control_noises="0:0.2:21",
    train_noises="0:0.9:10",
    train_at=(PAPERS_NOISE, BEST_NOISE),
    seeds=10,
)
QUICK = Form(
    couplings="20,60,100,200,300",
    sides=(4, 7, 10, 20, 30),
    phase_noises="0:0.12:13",
    phase_seeds=2,
    noises="0,0.06,0.08,0.09,0.1,0.12,0.14,0.2",
    control_noises="0,0.09,0.12,0.2",
    train_noises="0,0.1,0.2,0.4,0.6",
    train_at=(PAPERS_NOISE,),
    seeds=1,
)
