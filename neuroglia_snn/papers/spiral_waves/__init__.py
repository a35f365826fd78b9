"""Spiral waves in a lattice of excitable units."""

from __future__ import annotations

from neuroglia_snn.papers.paper import Paper

PAPER = Paper(
    name="spiral-waves",
    TITLE="spiral waves in lattices of FitzHugh-Nagumo units: period, speed, wavelength, tip",
    figures=("spiral", "plane", "noise"),
    package=__name__,
    quick="less time, and lattices down to a spacing of 0.125 alone",
)
