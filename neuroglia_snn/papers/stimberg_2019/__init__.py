"""Modelling neuron-glia interactions with Brian2.

Stimberg, Goodman, Brette and De Pittà, "Modeling neuron-glia interactions with the Brian 2 simulator", in
Computational Glioscience, Springer (2019).
"""

from __future__ import annotations

from neuroglia_snn.papers.paper import Paper

PAPER = Paper(
    name="stimberg-2019",
    TITLE="neurons and astrocytes of Stimberg et al. 2019: the models of its six figures",
    figures=("1", "2", "3", "4b", "4c", "5", "6"),
    package=__name__,
    quick="a quarter of the astrocytes with noise and of the ring's time",
)
