"""Fig. 2: where noise turns an oscillating lattice into an excitable one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuroglia_snn.studies.base import Section
from neuroglia_snn.studies.noise_memory.jobs import LATTICE, Run, Setting, Sweep

#: sigma_c^2 of infinitely strong coupling: the Stratonovich drift V*sigma^2/2 moves the mean field's
#: fixed point onto the left branch of its nullcline (Zhao et al. 2022 after their ref. [25]).
STRONG_COUPLING = 1 / 30
#: Colours of the seeds of Fig. 2 b, c, d, and their noises.
_LINES = ("#0b6e4f", "#b3541e", "#4a6fa5")
NOISES = ("0", "0.065", "0.09")
_COUPLING = {False: "20,40,60,80,100,130,160,200,250,300", True: "20,60,100,200,300"}
_SIDES = {False: (3, 4, 5, 7, 10, 14, 20, 30, 40), True: (4, 7, 10, 20, 30)}
_NOISE = {False: "0:0.12:25", True: "0:0.12:13"}
_SEEDS = {False: 10, True: 2}

_DEFINITION = (
    "Order parameter: the number of spikes of the mean field ⟨U⟩ (it passes U = 2 upwards; the next one"
    " counts after it has fallen below 0) in 48 time units from the published initial state, averaged over"
    " seeds. Boundary: for each seed the smallest noise from which on the mean field does not spike;"
    " mean and standard deviation over seeds, where all have one. Dashed: 1/30, the theory of strong coupling."
)


def by_coupling(letter: str, quick: bool) -> Sweep:
    """Fig. 2 a (over D_u at D_v = 100) or e (over D_v at D_u = 100), 400 neurons."""
    name = {"a": "D_u", "e": "D_v"}[letter]
    over = (f"{name}={_COUPLING[quick]}", f"sigma2={_NOISE[quick]}")
    return Sweep(f"figure-2{letter}", LATTICE, over, _SEEDS[quick])


def by_size(quick: bool) -> Sweep:
    """Fig. 2 f: over the number of neurons, D_u = D_v = 300."""
    shapes = ",".join(f"[{n}, {n}]" for n in _SIDES[quick])
    over = (f"population.neuron.shape={shapes}", f"sigma2={_NOISE[quick]}")
    return Sweep("figure-2f", LATTICE, over, _SEEDS[quick], {"D_u": "300", "D_v": "300"})


def series() -> list[Run]:
    """Fig. 2 b to d: the mean field over time, for three seeds."""
    return [
        Run(f"figure-2b-d/sigma2-{s}", LATTICE, {"sigma2": s}, replicas=len(_LINES)) for s in NOISES
    ]


def boundary(spikes: xr.DataArray) -> xr.DataArray:
    """Smallest noise from which on the mean field does not spike, for each seed; NaN where it always does.

    Parameters
    ----------
    spikes : (..., sigma2, seed)
        Mean-field spikes; NaN counts as a spike.
    """
    silent = (spikes == 0).isel(sigma2=slice(None, None, -1))
    from_here = silent.astype(int).cumprod("sigma2").sum("sigma2")
    noise = np.append(spikes["sigma2"].values, np.nan)
    first = spikes.sizes["sigma2"] - from_here
    return first.copy(data=noise[first.values])


def diagram(job: Sweep, setting: Setting, title: str, paper: str) -> Section:
    """A phase diagram, its boundary as a table."""
    data = job.carry_out(setting)
    spikes = data["mean_field_spikes"]
    axis_name = str(spikes.dims[0])
    sizes = axis_name.endswith("shape")
    if sizes:
        sides = [int(str(v).strip("[] ").split(",")[0]) for v in spikes[axis_name].values]
        spikes = spikes.assign_coords({axis_name: [n * n for n in sides]})
    edge = boundary(spikes)
    label = "N" if sizes else axis_name
    path = _draw(spikes, edge, label, setting.work.folder / f"{job.name}.png")
    rows = [
        [
            f"{float(value):g}",
            _number(edge.sel({axis_name: value})),
            *(f"{float(m):.2g}" for m in _at(spikes, axis_name, value, (0.03, 0.06, 0.09))),
        ]
        for value in spikes[axis_name].values
    ]
    columns = [label, "boundary", *(f"spikes at {s:g}" for s in (0.03, 0.06, 0.09))]
    return Section(
        title,
        f"{paper} {_DEFINITION}",
        [path],
        (columns, rows),
        [job.command(setting)],
        {
            f"boundary_at_{label}_{row[0]}": _mean(edge.sel({axis_name: float(row[0])}))
            for row in rows
        },
    )


def over_time(setting: Setting) -> Section:
    """Fig. 2 b to d."""
    jobs = series()
    summaries = [job.carry_out(setting) for job in jobs]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots(len(jobs), 1, sharex=True, sharey=True)
    rows, values = [], {}
    for panel, job, summary, noise, earlier in zip(
        axes, jobs, summaries, NOISES, ("4", "1", "0"), strict=True
    ):
        mean = job.data(setting)["mean_field_U"][..., 0]
        for series_, colour in zip(mean, _LINES, strict=True):
            panel.plot(mean["time_mean_field"], series_, color=colour, lw=1)
        panel.set(ylabel="<U>")
        panel.set_title(f"sigma$^2$ = {noise}", loc="left", fontsize=10)
        counts = [run["mean_field_spikes"] for run in summary["replicas"]]
        rows.append([noise, ", ".join(map(str, counts)), earlier])
        values[f"mean_field_spikes_at_{noise}"] = sum(counts) / len(counts)
    axes[-1].set(xlabel="time (the equations' units)")
    path = setting.work.folder / "figure-2b-d.png"
    figure.savefig(path, dpi=130)
    return Section(
        "Fig. 2 b-d: the mean field over time",
        "20 x 20 neurons, D_u = D_v = 100, a line for each seed. The paper shows spikes that become rarer with"
        " noise and stop.",
        [path],
        (["sigma^2", "spikes of the mean field", "earlier trial of the same equations"], rows),
        [job.command(setting) for job in jobs],
        values,
    )


def _draw(spikes: xr.DataArray, edge: xr.DataArray, label: str, path: Path) -> Path:
    name = str(spikes.dims[0])
    figure = Figure(figsize=(6.5, 4.3), layout="constrained")
    axes = figure.subplots()
    x, noise = spikes[name].values.astype(float), spikes["sigma2"].values
    places = np.arange(len(x))
    image = axes.pcolormesh(
        places, noise, spikes.mean("seed").values.T, shading="nearest", cmap="YlGnBu"
    )
    figure.colorbar(image, label="spikes of the mean field in 48 time units")
    axes.errorbar(
        places,
        edge.mean("seed", skipna=False),
        edge.std("seed", skipna=False),
        color="#b3541e",
        marker="o",
        ms=4,
        capsize=3,
        label="boundary",
    )
    axes.axhline(STRONG_COUPLING, color="k", ls="--", lw=1, label="strong coupling: 1/30")
    names = {"N": "number of neurons N"}
    axes.set(xlabel=names.get(label, f"coupling {label}"), ylabel="noise intensity sigma$^2$")
    axes.set_xticks(places, [f"{v:g}" for v in x])
    axes.legend(loc="upper right", fontsize=8)
    figure.savefig(path, dpi=130)
    return path


def _at(spikes: xr.DataArray, name: str, value: object, noises: tuple[float, ...]) -> list[float]:
    mean = spikes.sel({name: value}).mean("seed")
    return [float(mean.sel(sigma2=s, method="nearest")) for s in noises]


def _mean(values: xr.DataArray) -> float | None:
    """Over seeds; None where one of them spikes at any noise."""
    mean = float(values.mean(skipna=False))
    return None if np.isnan(mean) else mean


def _number(values: xr.DataArray) -> str:
    always = int(np.isnan(values).sum())
    if always:
        return f"{always} of {values.size} seeds spike at any noise"
    spread = f" ± {float(values.std(ddof=1)):.4f}" if values.size > 1 else ""
    return f"{_mean(values):.4f}{spread}"
