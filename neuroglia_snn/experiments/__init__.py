"""Experiments: plug-ins that say what a model's run shows, measures and draws; and papers to reproduce."""

from __future__ import annotations

from neuroglia_snn.experiments.base import Experiment, Image, Option, OwnProtocol
from neuroglia_snn.experiments.registry import (
    experiment,
    figure,
    kinds,
    load_file,
    measure,
    of_kind,
    paper,
    papers,
)

__all__ = [
    "Experiment",
    "Image",
    "Option",
    "OwnProtocol",
    "experiment",
    "figure",
    "kinds",
    "load_file",
    "measure",
    "of_kind",
    "paper",
    "papers",
]
