"""Fig. 2: where noise turns an oscillating lattice into an excitable one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neuroglia_snn.experiments.work import Section
from neuroglia_snn.measures import spread_over_seeds
from neuroglia_snn.papers.jobs import RunJob, Setting, SweepJob
from neuroglia_snn.papers.noise_memory.forms import LATTICE, Form
from neuroglia_snn.results.style import COLOURS, COLUMN, CONTROL, save, subplots

#: sigma_c^2 of infinitely strong coupling: the Stratonovich drift V*sigma^2/2 moves the mean field's
#: fixed point onto the left branch of its nullcline (Zhao et al. 2022 after their ref. [25]).
STRONG_COUPLING = 1 / 30
#: Colours of the seeds of Fig. 2 b, c, d, and their noises.
_LINES = COLOURS[:3]
NOISES = ("0", "0.065", "0.09")
REPLICAS = len(_LINES)

_DEFINITION = (
    "Order parameter: the number of spikes of the mean field ⟨U⟩ (it passes U = 2 upwards; the next one"
    " counts after it has fallen below 0) in 48 time units from the published initial state, averaged over"
    " seeds. Boundary: for each seed the smallest noise from which on the mean field does not spike;"
    " mean and standard deviation over seeds, where all have one. Dashed: 1/30, the theory of strong coupling."
)


def over_u(form: Form) -> SweepJob:
    """Fig. 2 a: over D_u at D_v = 100, 400 neurons."""
    over = (f"D_u={form.couplings}", f"sigma2={form.phase_noises}")
    return SweepJob("figure-2a", LATTICE, over, form.phase_seeds)


def over_v(form: Form) -> SweepJob:
    """Fig. 2 e: over D_v at D_u = 100, 400 neurons."""
    over = (f"D_v={form.couplings}", f"sigma2={form.phase_noises}")
    return SweepJob("figure-2e", LATTICE, over, form.phase_seeds)


def over_size(form: Form) -> SweepJob:
    """Fig. 2 f: over the number of neurons, D_u = D_v = 300."""
    shapes = ",".join(f"[{n}, {n}]" for n in form.sides)
    over = (f"population.neuron.shape={shapes}", f"sigma2={form.phase_noises}")
    coupling = {"D_u": "300", "D_v": "300"}
    return SweepJob("figure-2f", LATTICE, over, form.phase_seeds, coupling)


def series() -> list[RunJob]:
    """Fig. 2 b to d: the mean field over time, for three seeds."""
    return [
        RunJob(f"figure-2b-d/sigma2-{s}", LATTICE, {"sigma2": s}, replicas=REPLICAS) for s in NOISES
    ]


def boundary(spikes: xr.DataArray) -> xr.DataArray:
    """Smallest noise from which on the mean field does not spike, for each seed; NaN where there is none.

    Parameters
    ----------
    spikes : (..., sigma2, seed)
        Mean-field spikes; NaN, a point that failed, is not silent.
    """
    silent = (spikes == 0).isel(sigma2=slice(None, None, -1))
    from_here = silent.astype(int).cumprod("sigma2").sum("sigma2")
    noise = np.append(spikes["sigma2"].values, np.nan)
    first = spikes.sizes["sigma2"] - from_here
    return first.copy(data=noise[first.values])


def diagram(job: SweepJob, title: str, paper: str, setting: Setting) -> Section:
    """A phase diagram, its boundary as a table."""
    spikes = job.data(setting)["mean_field_spikes"]
    name = str(spikes.dims[0])
    label = name
    if name.endswith("shape"):
        label = "N"
        sides = [int(str(v).strip("[] ").split(",")[0]) for v in spikes[name].values]
        spikes = spikes.assign_coords({name: [n * n for n in sides]})
    edge = boundary(spikes)
    rows, values = [], {}
    for value in spikes[name].values:
        at = spikes.sel({name: value}).mean("seed", skipna=False)
        counts = [float(at.sel(sigma2=s, method="nearest")) for s in (0.03, 0.06, 0.09)]
        rows.append(
            [f"{value:g}", _in_words(edge.sel({name: value})), *(f"{c:.2g}" for c in counts)]
        )
        mean = float(edge.sel({name: value}).mean(skipna=False))
        values[f"boundary_at_{label}_{value:g}"] = None if np.isnan(mean) else mean
    rows.append(["strong coupling (theory)", f"{STRONG_COUPLING:.4f}", "", "", ""])
    columns = [label, "boundary", *(f"spikes at {s:g}" for s in (0.03, 0.06, 0.09))]
    path = _draw(spikes, edge, label, setting.work.folder / f"{job.name}")
    return Section(title, f"{paper} {_DEFINITION}", [path], (columns, rows), values)


def over_time(setting: Setting) -> Section:
    """Fig. 2 b to d."""
    jobs = series()
    figure, axes = subplots(len(jobs), 1, (COLUMN, 3.2), sharex=True, sharey=True)
    rows, values = [], {}
    for panel, job, noise, earlier in zip(axes, jobs, NOISES, ("4", "1", "0"), strict=True):
        mean = job.data(setting)["mean_field_U"][..., 0]
        for series_, colour in zip(mean, _LINES, strict=True):
            panel.plot(mean["time_mean_field"], series_, color=colour, lw=1)
        panel.set(ylabel="<U>")
        panel.set_title(f"sigma$^2$ = {noise}", loc="left")
        counts = [run["mean_field_spikes"] for run in job.summary(setting)["replicas"]]
        rows.append([noise, ", ".join(map(str, counts)), earlier])
        values[f"mean_field_spikes_at_{noise}"] = sum(counts) / len(counts)
    axes[-1].set(xlabel="time (the equations' units)")
    path = save(figure, setting.work.folder / "figure-2b-d")
    return Section(
        "Fig. 2 b-d: the mean field over time",
        "20 x 20 neurons, D_u = D_v = 100, a line for each seed. The paper shows spikes that become rarer with"
        " noise and stop.",
        [path],
        (["sigma^2", "spikes of the mean field", "earlier trial of the same equations"], rows),
        values,
    )


def _draw(spikes: xr.DataArray, edge: xr.DataArray, label: str, path: Path) -> Path:
    name = str(spikes.dims[0])
    figure, axes = subplots(1, 1, (COLUMN, 2.6))
    x, noise = spikes[name].values.astype(float), spikes["sigma2"].values
    places = np.arange(len(x))
    image = axes.pcolormesh(
        places, noise, spikes.mean("seed").values.T, shading="nearest", cmap="Blues"
    )
    figure.colorbar(image, label="spikes of the mean field in 48 time units")
    axes.errorbar(
        places,
        edge.mean("seed", skipna=False),
        spread_over_seeds(edge, skipna=False),
        color=CONTROL,
        marker="o",
        label="boundary",
    )
    axes.axhline(STRONG_COUPLING, color="k", ls="--", lw=1, label="strong coupling: 1/30")
    names = {"N": "number of neurons N"}
    axes.set(xlabel=names.get(label, f"coupling {label}"), ylabel="noise intensity sigma$^2$")
    axes.set_xticks(places, [f"{v:g}" for v in x])
    axes.legend(loc="upper right")
    return save(figure, path)


def _in_words(values: xr.DataArray) -> str:
    """Mean and spread over seeds, where all have a boundary."""
    none = int(np.isnan(values).sum())
    if none:
        return f"none for {none} of {values.size} seeds"
    spread = f" ± {float(spread_over_seeds(values)):.4f}" if values.size > 1 else ""
    return f"{float(values.mean()):.4f}{spread}"
