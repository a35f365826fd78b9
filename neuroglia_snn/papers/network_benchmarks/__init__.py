"""The networks that every simulator is measured by, each beside the published numbers or another program's."""

from __future__ import annotations

from neuroglia_snn.papers.paper import Paper

PAPER = Paper(
    name="network-benchmarks",
    TITLE="COBA, CUBA, COBAHH, Vogels et al. 2011, Brunel 2000, Diehl and Cook 2015: the networks' own numbers",
    figures=("coba", "cuba", "cobahh", "vogels", "brunel", "diehl-cook"),
    package=__name__,
    quick="8 seeds of COBA and CUBA, 10 s of learning instead of 60",
)
