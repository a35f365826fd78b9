"""Figures of self-organised learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from neuroglia_snn.papers.fep import ensembles, network
from neuroglia_snn.papers.fep.ensembles import EARLY, Culture
from neuroglia_snn.papers.fep.learning import (
    History,
    discrimination,
    mean_over_trials,
    own_half,
)
from neuroglia_snn.papers.fep.reverse_engineering import Analysis
from neuroglia_snn.papers.fep.stimulus import Stimulus
from neuroglia_snn.results.style import (
    BEHIND,
    COLOURS,
    COLUMN,
    CONTROL,
    LEVELS,
    MAP,
    MODEL,
    PAGE,
    REFERENCE,
    save,
    subplots,
)

#: Of the network that learns, and the two baselines.
_MODELS = {"canonical": MODEL, "frozen": CONTROL, "regression": COLOURS[2]}
#: Of trials with own source alone, other source alone, both, none.
_SHOWN = {
    "own source on": MODEL,
    "other source on": CONTROL,
    "both on": COLOURS[2],
    "none on": BEHIND,
}
#: Predicted trajectories.
_PREDICTED = CONTROL
_EXCITABILITY = {"lowered": MODEL, "normal": REFERENCE, "raised": CONTROL}

Theory = Mapping[tuple[float, str], tuple[Stimulus, History]]
Sets = Mapping[str, Sequence[Analysis]]


def draw(
    folder: Path, theory: Theory, simulated: Mapping[str, Sequence[Culture]], sets: Sets
) -> list[Path]:
    """All figures of the study that there are data for."""
    normal = {
        f"canonical network, {m * 100:g} % mixed": v
        for (m, k), v in theory.items()
        if k == "normal"
    }
    mixed = {n: group for n, group in sets.items() if "mix" in n or n.startswith("recorded")}
    paths = [landscape(folder, normal, mixed)]
    cultures = simulated.get("mix25") or [a.culture for group in sets.values() for a in group]
    if cultures:
        paths.append(layout(folder, cultures[0]))
    if mixed:
        paths += [responses(folder, mixed), prediction(folder, mixed)]
    paths.append(excitability(folder, theory, simulated))
    return paths


def layout(folder: Path, culture: Culture) -> Path:
    """Sources, stimulation and responses of some trials; preference of every electrode."""
    trials = slice(0, 40)
    figure, axes = subplots(1, 3, (PAGE, 2.6), width_ratios=(1, 1.2, 1.4))
    sources, electrodes, late = axes
    for axis, values, label, title in (
        (sources, culture.sources[0, trials], "hidden source", "two hidden sources ..."),
        (
            electrodes,
            culture.electrodes[0, trials],
            "stimulating electrode",
            "... on 32 electrodes ...",
        ),
    ):
        axis.imshow(values.T, aspect="auto", **MAP)
        axis.set(xlabel="trial of session 1", ylabel=label, title=title)
    sources.set_yticks([0, 1], ["1", "2"])
    electrodes.axhline(15.5, color=_PREDICTED, lw=1)
    preferred = ensembles.preference(culture, slice(-EARLY, None))
    edge = int(np.sqrt(len(preferred)))
    limit = max(np.abs(preferred).max(), 1e-9)
    square = preferred.reshape(edge, edge) if edge**2 == len(preferred) else preferred[None]
    image = late.imshow(square, cmap="PuOr", vmin=-limit, vmax=limit)
    late.set(
        xticks=[],
        yticks=[],
        title=f"... evoke spikes at {len(preferred)} electrodes,\nlast {EARLY} sessions",
    )
    figure.colorbar(
        image, ax=late, shrink=0.8, label="source 1 alone less source 2 alone\n(spikes per trial)"
    )
    figure.suptitle(str(culture))
    return save(figure, folder / "layout")


def responses(folder: Path, sets: Sets) -> Path:
    """Activity of both ensembles over sessions, by what the sources did: mean and standard deviation of the cultures."""
    figure, axes = subplots(2, len(sets), (PAGE, 3.6), sharex=True, sharey=True, squeeze=False)
    for column, (name, group) in enumerate(sets.items()):
        for ensemble in range(2):
            axis = axes[ensemble, column]
            for label, curve in _curves(group, ensemble).items():
                sessions = np.arange(1, curve.shape[1] + 1)
                axis.plot(sessions, curve.mean(axis=0), color=_SHOWN[label], lw=1.2, label=label)
                if len(curve) > 1:
                    spread = curve.std(axis=0, ddof=1)
                    low, high = curve.mean(axis=0) - spread, curve.mean(axis=0) + spread
                    axis.fill_between(sessions, low, high, color=_SHOWN[label], alpha=0.2, lw=0)
            axis.set(ylim=(0, 1))
        axes[0, column].set_title(f"{_title(name)} (n = {len(group)})")
        axes[1, column].set(xlabel="session")
    for ensemble in range(2):
        axes[ensemble, 0].set(ylabel=f"activity x of ensemble {ensemble + 1}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    title = "mean and standard deviation of the cultures"
    figure.legend(handles, labels, loc="outside lower center", ncols=4, title=title)
    return save(figure, folder / "responses")


def _trial_types(sources: np.ndarray, ensemble: int) -> dict[str, np.ndarray]:
    """Which trials show what, seen from an ensemble, in the order of `_SHOWN`."""
    own, other = sources[..., ensemble] == 1, sources[..., 1 - ensemble] == 1
    chosen = (own & ~other, ~own & other, own & other, ~own & ~other)
    return dict(zip(_SHOWN, chosen, strict=True))


def _curves(group: Sequence[Analysis], ensemble: int) -> dict[str, np.ndarray]:
    """Mean activity in each session, (cultures, sessions), by type of trial."""
    result: dict[str, list[np.ndarray]] = {name: [] for name in _SHOWN}
    for analysis in group:
        x = analysis.x[..., ensemble]
        for name, chosen in _trial_types(analysis.culture.sources, ensemble).items():
            result[name].append(mean_over_trials(x, chosen))
    return {name: np.array(curves) for name, curves in result.items()}


def prediction(folder: Path, sets: Sets) -> Path:
    """Predicted against observed activity, and the errors over sessions beside two baselines."""
    figure, axes = subplots(3, len(sets), (PAGE, 5.6), sharey="row", squeeze=False)
    for column, (name, group) in enumerate(sets.items()):
        top, middle, bottom = axes[:, column]
        for ensemble, marker in enumerate("os"):
            observed = _late_means([a.x for a in group], group, ensemble)
            predicted = _late_means([a.predictions["canonical"].x for a in group], group, ensemble)
            for n, label in enumerate(_SHOWN):
                top.plot(
                    observed[:, n],
                    predicted[:, n],
                    marker,
                    color=_SHOWN[label],
                    label=label if ensemble == 0 else None,
                )
        top.plot([0, 1], [0, 1], color="0.7", lw=0.8, zorder=0)
        top.set(
            xlim=(0, 1), ylim=(0, 1), xlabel=f"observed x, last {EARLY} sessions", aspect="equal"
        )
        top.set_title(f"{_title(name)} (n = {len(group)})")
        for axis, errors in ((middle, "err_x"), (bottom, "err_w")):
            for model, colour in _MODELS.items():
                curve = np.mean([getattr(a, errors)[model] for a in group], axis=0)
                sessions = np.arange(1, len(curve) + 1)
                axis.plot(
                    sessions[EARLY:], curve[EARLY:], color=colour, lw=1.3, label=_NAMES[model]
                )
            axis.set(xlim=(0, len(curve)))
        bottom.set(xlabel="session")
    axes[0, 0].set(ylabel="predicted from sessions 1-10")
    axes[1, 0].set(ylabel="error of activity, err$_x$")
    axes[2, 0].set(ylabel="error of connectivity, err$_W$")
    for axis in axes[1:, 0]:
        axis.set_ylim(bottom=0)  # after all curves: a row shares its axis
    axes[0, 0].legend()
    axes[1, 0].legend()
    return save(figure, folder / "prediction")


_NAMES = {
    "canonical": "canonical network",
    "frozen": "no learning",
    "regression": "linear regression",
}


def _late_means(xs: Sequence[np.ndarray], group: Sequence[Analysis], ensemble: int) -> np.ndarray:
    """Mean activity of the last sessions by type of trial, (cultures, types)."""
    result = []
    for x, analysis in zip(xs, group, strict=True):
        late = x[-EARLY:, :, ensemble].reshape(1, -1)
        types = _trial_types(analysis.culture.sources[-EARLY:], ensemble)
        result.append([mean_over_trials(late, c.reshape(1, -1))[0] for c in types.values()])
    return np.array(result)


def landscape(folder: Path, theory: Mapping[str, tuple[Stimulus, History]], sets: Sets) -> Path:
    """Connectivity on the free-energy landscape, and the fall of cost and free energy."""
    panels = [*theory, *sets]
    columns = min(3, len(panels) + 1)
    rows = -(-(len(panels) + 1) // columns)
    figure, axes = subplots(rows, columns, (PAGE, 2.2 * rows), squeeze=False)
    for axis, name in zip(axes.flat, panels, strict=False):
        if name in theory:
            stimulus, history = theory[name]
            image = _surface(axis, stimulus.electrodes)
            _trajectories(axis, history.connectivity, "white", "-")
        else:
            image = _surface(axis, sets[name][0].culture.electrodes)
            for analysis in sets[name]:
                _trajectories(axis, analysis.connectivity, "white", "-")
                _trajectories(
                    axis,
                    analysis.predictions["canonical"].connectivity,
                    _PREDICTED,
                    "--",
                )
        axis.set_title(_title(name))
        axis.set(xlabel="What$_1$, own half", ylabel="What$_1$, other half")
        figure.colorbar(image, ax=axis, shrink=0.8, label="L per trial (nat)")
    rest = axes.flat[len(panels) :]
    for name, (_, history) in theory.items():
        sessions = np.arange(1, len(history.cost) + 1)
        line = rest[0].plot(
            sessions, history.cost, lw=1.4, label=name.removeprefix("canonical network, ")
        )
        rest[0].plot(sessions, history.free_energy, ":", color=line[0].get_color(), lw=2.2)
    rest[0].set(xlabel="session", ylabel="per trial (nat)")
    rest[0].set_title("cost L of the network (lines),\nfree energy F of the observer (dots)")
    rest[0].legend()
    for axis in rest[1:]:
        figure.delaxes(axis)
    told = "white: connectivity over sessions, dot at the end"
    figure.suptitle(f"{told}; dashed: predicted from sessions 1-{EARLY}" if sets else told)
    return save(figure, folder / "landscape")


def _surface(axis: Axes, electrodes: np.ndarray):
    """Cost per trial of one ensemble over (What_1 of its own half, of the other half).

    What_0 = 1 - What_1: what plasticity settles at if the ensemble is active in half of the trials.
    """
    shown = electrodes[0].astype(float)
    own = own_half(shown.shape[1])[0]
    grid = np.linspace(0.08, 0.92, 25)
    start = network.start(np.array([0.5]), shown.shape[1])
    values = np.empty((len(grid), len(grid)))
    for row, other in enumerate(grid):
        for column, mine in enumerate(grid):
            active = np.where(own, mine, other)[None]
            w = network.logit(np.stack([active, 1 - active]))
            on, off = network.drive(w, start.prior, shown)
            values[row, column] = network.cost(w, start, network.sigmoid(on - off), shown)
            values[row, column] -= network.cost(w, start, np.empty((0, 1)), shown[:0])
    values /= len(shown)
    image = axis.contourf(grid, grid, values, levels=24, cmap=LEVELS)
    axis.plot(0.5, 0.5, "o", color="white", ms=4)
    axis.set(aspect="equal")
    return image


def _trajectories(axis: Axes, connectivity: np.ndarray, colour: str, style: str) -> None:
    """What_1 of both ensembles, averaged over their own and the other half of the electrodes."""
    own = own_half(connectivity.shape[-1])
    for ensemble in range(connectivity.shape[2]):
        active = connectivity[:, 0, ensemble]
        mine, other = active[:, own[ensemble]].mean(axis=1), active[:, ~own[ensemble]].mean(axis=1)
        axis.plot(mine, other, style, color=colour, lw=1.3)
        axis.plot(mine[-1], other[-1], "o", color=colour, ms=3)


def excitability(folder: Path, theory: Theory, simulated: Mapping[str, Sequence[Culture]]) -> Path:
    """Lowered, normal and raised excitability: the canonical network, the spiking cultures."""
    figure, axes = subplots(
        1, 2 if simulated else 1, (PAGE if simulated else COLUMN, 2.6), squeeze=False
    )
    for level, colour in _EXCITABILITY.items():
        stimulus, history = theory[0.25, level]
        curve = discrimination(history.x, stimulus.sources).mean(axis=1)
        axes[0, 0].plot(np.arange(1, len(curve) + 1), curve, color=colour, label=level)
    axes[0, 0].set(
        xlabel="session",
        ylabel="x, own source alone less other alone",
        title="canonical network",
        ylim=(0, 1),
    )
    axes[0, 0].legend(title="excitability")
    for level, colour in _EXCITABILITY.items() if simulated else ():
        for n, culture in enumerate(simulated["mix25" if level == "normal" else level]):
            sessions = np.arange(0, len(culture.counts), 5)
            apart = [
                np.abs(ensembles.preference(culture, slice(s, s + 5))).mean() for s in sessions
            ]
            axes[0, 1].plot(sessions + 3, apart, color=colour, label=None if n else level)
    if simulated:
        axes[0, 1].set(
            xlabel="session",
            ylim=(0, None),
            title="simulated cultures",
            ylabel="|source 1 alone less source 2 alone|\n(spikes per trial, mean of electrodes)",
        )
        axes[0, 1].legend(title="excitability")
    return save(figure, folder / "excitability")


def _title(name: str) -> str:
    """``recorded_mix0`` as words."""
    origin, _, condition = name.partition("_")
    if condition.startswith("mix"):
        return f"{origin}, {condition.removeprefix('mix')} % mixed"
    return f"{origin}, {condition.replace('_', ' ')}" if condition else name
