"""Every figure: the catalogue's model, run and set beside Brian2's own example of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from neuroglia_snn.experiments.work import Section
from neuroglia_snn.papers.figures import Figure
from neuroglia_snn.papers.jobs import RunJob, Setting
from neuroglia_snn.papers.samples import Sample, table
from neuroglia_snn.papers.stimberg_2019 import reference
from neuroglia_snn.results.style import (
    BEHIND,
    COLUMN,
    CONTROL,
    LEVELS,
    MODEL,
    REFERENCE,
    save,
    subplots,
)

#: Colours of closed loop, open loop and no gliotransmission.
COLOURS = MODEL, CONTROL, REFERENCE
EXAMPLE = "Brian2's example"


def figures(quick: bool) -> dict[str, Figure]:
    """By name, in the paper's order."""
    copies = {"population.astrocyte.size": "101" if quick else "401"}
    short = {"model.duration": "1000 second"} if quick else {}
    return {
        "1": _of("figure-1", "stimberg_coba", {}, coba),
        "2": _of("figure-2", "gchi_astrocyte", copies, astrocytes),
        "3": _of("figure-3", "gliotransmitter_release", {}, release),
        "4b": _of("figure-4b", "gliotransmitter_loop", {}, loops),
        "4c": _of("figure-4c", "gliotransmitter_loop_rates", {}, mean_release),
        "5": _of("figure-5", "astrocyte_ring", short, ring),
        "6": _of("figure-6", "tripartite_coba", {}, tripartite),
    }


def _of(
    name: str, model: str, settings: Mapping[str, str], draw: Callable[[xr.Dataset], tuple]
) -> Figure:
    """One run, and a section of its data: title, text, drawing, table, values."""
    job = RunJob(name, model, settings)

    def section(setting: Setting) -> Section:
        title, text, drawing, rows, values = draw(job.data(setting))
        return Section(title, text, [save(drawing, setting.work.folder / name)], rows, values)

    return Figure([job], section)


def _keys(found: Mapping[str, float]) -> dict[str, float]:
    """Names of results, from those of a table."""
    plain = str.maketrans({" ": "_", ",": None, "(": None, ")": None})
    return {name.translate(plain): value for name, value in found.items()}


def coba_measures(data: xr.Dataset) -> dict[str, float]:
    """As `reference.COBA`."""
    units = data["spikes_unit"].values
    return {
        "excitatory": np.sum(units < 3200) / 3200,
        "inhibitory": np.sum(units >= 3200) / 800,
        "g_i (nS)": 1e9 * float(data["final_neuron_g_i"].mean()),
        "v (mV)": float(data["final_neuron_v"].mean()),
    }


def coba(data: xr.Dataset) -> tuple:
    """Fig. 1."""
    found = coba_measures(data)
    figure, axes = subplots(3, 1, (COLUMN, 3.6), sharex=True, height_ratios=(3, 1, 1))
    axes[0].plot(data["spikes_time"], data["spikes_unit"], ",", color="k")
    axes[0].axhline(3200, color=MODEL, lw=0.8)
    axes[0].set(ylabel="neuron")
    time = data["time_cell"]
    axes[1].plot(time, data["cell_v"], color=MODEL, lw=0.8)
    axes[1].set(ylabel="v (mV)")
    for variable, colour in (("g_e", COLOURS[0]), ("g_i", COLOURS[1])):
        axes[2].plot(time, 1e9 * data[f"cell_{variable}"], color=colour, lw=0.8, label=variable)
    axes[2].set(ylabel="nS", xlabel="time (ms)", xlim=(0, 1000))
    axes[2].legend(loc="upper right")
    return (
        "Fig. 1: a network with short-term plasticity",
        "Spikes of a neuron in 1 s, of the 3200 excitatory and the 800 inhibitory neurons, and means of final"
        " values. Below: potential and conductances of one neuron.",
        figure,
        _beside(found, {n: Sample.of(v) for n, v in reference.COBA.items()}),
        _keys(found),
    )


def astrocytes(data: xr.Dataset) -> tuple:
    """Fig. 2."""
    time = data["time_astrocytes"].values / 1e3
    steps = np.rint(np.array(reference.TIMES) / 0.01).astype(int)
    scale = {"I": 1e3, "C": 1e3}  # concentrations are in mM there, in uM here
    worst = max(
        float(np.max(np.abs(_first(data, v)[steps] / scale.get(v, 1) / np.array(known) - 1)))
        for v, known in reference.DETERMINISTIC.items()
    )
    rows, values = [], {"deterministic_largest_difference": worst}
    copies = data.sizes["unit_astrocytes"] - 1
    apart = []
    for (variable, at), quantiles in reference.WITH_NOISE.items():
        noisy = data[f"astrocytes_{variable}"].values[at * 100, 1:] / scale.get(variable, 1)
        below = [np.mean(noisy < q) for q in quantiles]
        errors = [
            np.sqrt(s * (1 - s) * (1 / copies + 1 / reference.COPIES)) for s in reference.SHARES
        ]
        apart += [(b - s) / e for b, s, e in zip(below, reference.SHARES, errors, strict=True)]
        rows.append([f"{variable}, {at} s", *(f"{b:.2f}" for b in below)])
    values["quantiles_largest_difference"] = float(np.max(np.abs(apart)))
    figure, axes = subplots(4, 1, (COLUMN, 4.2), sharex=True)
    for axis, variable in zip(axes, ("Gamma_A", "I", "C", "h"), strict=True):
        several = data[f"astrocytes_{variable}"].values
        axis.plot(time, several[:, 1], color=COLOURS[1], lw=0.8, label="with noise")
        axis.plot(time, several[:, 0], color=MODEL, lw=1, label="deterministic")
        axis.set(ylabel=variable + (" (uM)" if variable in scale else ""))
    axes[0].legend(loc="upper right")
    axes[-1].set(xlabel="time (s)")
    return (
        "Fig. 2: an astrocyte driven by a synapse",
        f"The deterministic astrocyte is the example's to {worst:.1e} of each value at six times. Of {copies}"
        f" astrocytes with noise, the table has the share below the quantiles of {reference.COPIES} of the"
        f" example; the largest of {len(apart)} differences is {values['quantiles_largest_difference']:.1f}"
        " standard errors.",
        figure,
        (["", *(f"{EXAMPLE}: {s:g}" for s in reference.SHARES)], rows),
        values,
    )


def release(data: xr.Dataset) -> tuple:
    """Fig. 3."""
    worst = 0.0
    for variable, known in reference.RELEASE.items():
        here = data[f"synapses_{variable}"].values[reference.RELEASE_STEPS].T
        here = here / (1e3 if variable == "Y_S" else 1)
        worst = max(worst, float(np.max(np.abs(here / np.array(known) - 1))))
    times = data["releases_time"].values / 1e3
    figure, axes = subplots(4, 1, (COLUMN, 4.4))
    for unit, colour, name in ((0, COLOURS[1], "weak"), (1, COLOURS[0], "strong")):
        axes[0].plot(
            data["time_astrocytes"] / 1e3, data["astrocytes_C"][:, unit], color=colour, label=name
        )
    axes[0].set(ylabel="C (uM)", xlabel="time (s)")
    axes[0].legend(loc="upper right", title="drive")
    late = data.isel(time_synapses=slice(16400, None))
    for axis, variable in zip(axes[1:], ("u_S", "x_S", "Y_S"), strict=True):
        for kind, colour in enumerate((COLOURS[2], COLOURS[1], COLOURS[0])):
            axis.plot(
                late["time_synapses"] / 1e3,
                late[f"synapses_{variable}"][:, kind],
                color=colour,
                lw=0.9,
            )
        axis.set(ylabel=variable + (" (uM)" if variable == "Y_S" else ""))
    axes[-1].set(xlabel="time (s); grey: no gliotransmission")
    rows = [
        [f"{n + 1}", f"{t:.3f}", f"{e:.3f}"]
        for n, (t, e) in enumerate(zip(times, reference.RELEASES_AT, strict=True))
    ]
    return (
        "Fig. 3: release modulated by gliotransmitter",
        "Two astrocytes, one driven weakly and one strongly, release gliotransmitter; a train of spikes 16.5 s"
        f" later shows what is left of it. u_S, x_S and Y_S of all synapses are the example's to {worst:.1e} of each"
        " value at four times. Releases (s):",
        figure,
        (["release", "here", EXAMPLE], rows),
        {
            "largest_difference": worst,
            **{f"release_{n + 1}_s": float(t) for n, t in enumerate(times)},
        },
    )


def loop_measures(data: xr.Dataset) -> dict[str, float]:
    """Mean Y_S (uM) of each kind of synapse at each rate, and releases of an astrocyte of a closed loop."""
    units = data["releases_unit"].values
    inputs = data.sizes["synapse_release"] // 3
    found = {"releases of an astrocyte": float(np.sum(units < inputs) / inputs)}
    quarter = (data["time_release"].values / 5e3).astype(int)
    for kind, name in enumerate(reference.KINDS):
        for q, rate in enumerate(reference.RATES):
            found[f"{name}, {rate}"] = float(
                data["release_Y_S"].values[quarter == q, kind::3].mean()
            )
    return found


def loop_reference() -> dict[str, Sample]:
    """The example's, as `loop_measures`."""
    known = {"releases of an astrocyte": Sample.of(reference.RELEASES)}
    for name, seeds in reference.LOOP.items():
        for q, rate in enumerate(reference.RATES):
            known[f"{name}, {rate}"] = Sample.of([1e3 * one[q] for one in seeds])
    return known


def loops(data: xr.Dataset) -> tuple:
    """Fig. 4 B."""
    found = loop_measures(data)
    figure, axes = subplots(3, 1, (COLUMN, 3.6), sharex=True)
    for kind, (axis, colour) in enumerate(zip(axes, COLOURS, strict=True)):
        mean = data["release_Y_S"].values[:, kind::3].mean(axis=1)
        axis.plot(data["time_release"] / 1e3, mean, color=colour, lw=0.8)
        axis.set(ylabel="Y_S (uM)")
        axis.set_title(f"gliotransmission: {reference.KINDS[kind]}", loc="left")
    axes[-1].set(xlabel="time (s); the rate of the inputs rises tenfold every 5 s")
    return (
        "Fig. 4 B: closed and open loop",
        "Mean neurotransmitter in the synapse (uM) at the four rates of the inputs. In a closed loop"
        " gliotransmission follows the input's rate, in an open one it is there at every rate.",
        figure,
        _beside(found, loop_reference()),
        _keys(found),
    )


def mean_release(data: xr.Dataset) -> tuple:
    """Fig. 4 C."""
    each = data["release_r_S"].values.mean(axis=0)
    count = len(each) // 3
    rates = 0.1 * np.exp(np.log(1000) * np.arange(count) / (count - 1))
    found, known = reference.by_rate(each), np.mean(reference.MEAN_RELEASE, axis=0)
    centres = np.exp(np.log(rates).reshape(10, -1).mean(axis=1))
    figure, axis = subplots(1, 1, (COLUMN, 2.5))
    for kind, colour in enumerate(COLOURS):
        axis.plot(rates, each[kind::3], ".", color=colour, label=reference.KINDS[kind])
        axis.plot(centres, known[kind], "o-", color=colour, mfc="none", lw=0.7)
    axis.set(xscale="log", xlabel="rate of the input (Hz)", ylabel="mean release of a spike")
    axis.legend(title="gliotransmission")
    rows = [
        [f"{rate:.2g}", *(f"{found[k][n]:.3f}; {known[k][n]:.3f}" for k in range(3))]
        for n, rate in enumerate(centres)
    ]
    return (
        "Fig. 4 C: mean release against the rate of the input",
        f"Dots: {count} inputs here; circles: means of each ten of the example's hundred inputs over two seeds."
        " In a closed loop release has a second maximum, at several spikes a second. The table has means here and there.",
        figure,
        (["rate (Hz)", *(f"{name}: here; {EXAMPLE}" for name in reference.KINDS)], rows),
        {"largest_difference": float(np.max(np.abs(found - known)))},
    )


def ring(data: xr.Dataset) -> tuple:
    """Fig. 5."""
    calcium = data["astrocytes_C"].values
    time = data["time_astrocytes"].values / 1e3
    rows = [
        [f"{unit}, {at} s", f"{calcium[at, unit]:.6f}", f"{known:.6f}"]
        for (unit, at), known in reference.RING.items()
    ]
    high = calcium > 0.2
    waves = int(np.sum(~high[:-1] & high[1:], axis=0).mean().round())
    figure, axis = subplots(1, 1, (COLUMN, 2.3))
    image = axis.pcolormesh(
        time, np.arange(calcium.shape[1]), calcium.T, cmap=LEVELS, shading="nearest"
    )
    figure.colorbar(image, label="C (uM)")
    axis.set(xlabel="time (s)", ylabel="astrocyte")
    return (
        "Fig. 5: calcium waves around a ring",
        "One of 50 astrocytes is driven for 20 s in every 50; waves run around the ring, and some fail. Calcium (uM)"
        " of an astrocyte at a time; after 400 s the ring is chaotic and no number can agree (docs/explanation/networks.md)."
        f" Calcium passes 0.2 uM upwards {waves} times in an astrocyte, on average.",
        figure,
        (["astrocyte, time", "here", EXAMPLE], rows),
        {"calcium_mean_uM": float(calcium.mean()), "waves_through_an_astrocyte": waves},
    )


def tripartite_measures(data: xr.Dataset) -> dict[str, float]:
    """As `reference.TRIPARTITE`."""
    units = data["spikes_unit"].values
    means = {v: float(data[f"final_astrocyte_{v}"].mean()) for v in ("C", "I", "h", "Gamma_A")}
    return {
        "excitatory rate (Hz)": np.sum(units < 3200) / 3200,
        "inhibitory rate (Hz)": np.sum(units >= 3200) / 800,
        "C (uM)": means["C"],
        "I (uM)": means["I"],
        "h": means["h"],
        "Gamma_A": means["Gamma_A"],
    }


def tripartite(data: xr.Dataset) -> tuple:
    """Fig. 6."""
    found = tripartite_measures(data)
    seeds = reference.TRIPARTITE_SEEDS
    known = {n: Sample(mean, sd, seeds) for n, (mean, sd) in reference.TRIPARTITE.items()}
    figure, axes = subplots(3, 1, (COLUMN, 3.6), sharex=True)
    axes[0].plot(data["spikes_time"], data["spikes_unit"], ",", color="k")
    axes[0].axhline(3200, color=MODEL, lw=0.8)
    axes[0].set(ylabel="neuron")
    for axis, variable in zip(axes[1:], ("I", "Gamma_A"), strict=True):
        values = data[f"astrocytes_{variable}"].values
        few = np.linspace(0, values.shape[1] - 1, 40).astype(int)
        axis.plot(data["time_astrocytes"], values[:, few], color=BEHIND, lw=0.5)
        axis.plot(data["time_astrocytes"], values.mean(axis=1), color=MODEL, lw=1.2)
        axis.set(ylabel=variable + (" (uM)" if variable == "I" else ""))
    axes[-1].set(xlabel="time (ms)", xlim=(0, 1000))
    return (
        "Fig. 6: a network with tripartite synapses",
        "The first second of neurons and 3200 astrocytes (40 of them and their mean), of which none releases yet.",
        figure,
        _beside(found, known),
        _keys(found),
    )


def _beside(found: Mapping[str, float], known: Mapping[str, Sample]) -> tuple:
    return table({n: Sample.of([v]) for n, v in found.items()}, known, f"{EXAMPLE} (seeds)")


def _first(data: xr.Dataset, variable: str) -> np.ndarray:
    return data[f"astrocytes_{variable}"].values[:, 0]
