"""Figures of the neuron-astrocyte network: courses of a run, and numbers beside NEST's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from neuroglia_snn.results.style import COLUMN, CONTROL, MODEL, PAGE, save, subplots


def courses(path: Path, runs: Mapping[str, Mapping]) -> Path:
    """Spikes of a hundred neurons, calcium of a hundred astrocytes and currents, one column a network."""
    figure, axes = subplots(
        3, len(runs), (PAGE if len(runs) > 1 else COLUMN, 4.6), sharex="col", squeeze=False
    )
    for column, (case, run) in enumerate(runs.items()):
        spikes, calcium, current = axes[:, column]
        spikes.plot(run["spike_times"], run["spike_units"], ",", color="black")
        spikes.set(title=case.replace("_", ", "), ylim=(-0.5, 99.5))
        for axis, name in ((calcium, "calcium"), (current, "current")):
            low, middle, high = np.percentile(run[name], [5, 50, 95], axis=1)
            axis.fill_between(run["course_times"], low, high, color=MODEL, alpha=0.25, linewidth=0)
            axis.plot(run["course_times"], middle, color=MODEL)
        current.set(xlabel="time (s)")
    for axis, label in zip(
        axes[:, 0], ("neuron (1 of each 1 %)", "Ca (uM): 5, 50, 95 %", "SIC (pA)"), strict=True
    ):
        axis.set(ylabel=label)
    return save(figure, path)


def beside(
    path: Path, found: Mapping[str, Sequence[Mapping]], theirs: Mapping[str, Sequence[Mapping]]
) -> Path:
    """Each seed's rate, synchrony and calcium, here and in NEST."""
    shown = {
        "rate_e": "excitatory rate (Hz)",
        "local": "local synchrony",
        "Ca_50": "median Ca (uM)",
    }
    cases = [case for case in found if case in theirs]
    figure, axes = subplots(1, len(shown), (PAGE, 2.4))
    for axis, (name, label) in zip(axes, shown.items(), strict=True):
        for place, case in enumerate(cases):
            for offset, runs, colour in (
                (-0.12, found[case], MODEL),
                (0.12, theirs[case], CONTROL),
            ):
                values = [float(run[name]) for run in runs]
                axis.plot(
                    np.full(len(values), place + offset), values, "o", color=colour, alpha=0.6
                )
        axis.set(ylabel=label, xticks=range(len(cases)), ylim=(0, None))
        axis.set_xticklabels([case.replace("_", ",\n") for case in cases])
    axes[0].plot([], [], "o", color=MODEL, label="here")
    axes[0].plot([], [], "o", color=CONTROL, label="NEST")
    axes[0].legend()
    return save(figure, path)
