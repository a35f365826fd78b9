"""Firing patterns in floating point and in integers, and how far their spike times are apart."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import partial

import numpy as np

from neuroglia_snn.experiments.work import Section
from neuroglia_snn.papers.figures import Figure
from neuroglia_snn.papers.jobs import RunJob, Setting
from neuroglia_snn.results.style import COLUMN, CONTROL, MODEL, PAGE, save, subplots

MODEL_NAME = "izhikevich"
#: The regimes that the paper shows on the chip, with the values of Izhikevich (2003), Fig. 2; of the two
#: regimes of its thalamo-cortical neuron, the input is ours.
PATTERNS: Mapping[str, Mapping[str, str]] = {
    "regular spiking": {},
    "intrinsically bursting": {"c": "-55", "d": "4"},
    "chattering": {"c": "-50", "d": "2"},
    "fast spiking": {"a": "0.1", "d": "2"},
    "low-threshold spiking": {"b": "0.25", "d": "2"},
    "tonic": {"b": "0.25", "d": "0.05", "I_in": "2"},
    "rebound": {"b": "0.25", "d": "0.05", "I_in": "-10"},
}
#: The patterns whose error the paper reports.
REPORTED = ("regular spiking", "fast spiking")
#: Bits of v and u: those of a state on Loihi 2, and of half of one of its words.
BITS = (24, 16)
#: Ranges of v and u, in which all patterns stay at these time steps.
RANGES = {"v": (-128, 512), "u": (-64, 64)}


def figures(quick: bool) -> dict[str, Figure]:
    """By name."""
    steps = ("0.5 ms",) if quick else ("0.5 ms", "0.1 ms")
    lava = [*(REPORTED if quick else PATTERNS)] if importlib.util.find_spec("lava") else []
    shown = [_job(pattern, "0.5 ms", bits) for pattern in PATTERNS for bits in (None, BITS[0])]
    compared = [
        _job(pattern, dt, bits) for dt in steps for pattern in PATTERNS for bits in (None, *BITS)
    ]
    simulated = [_job(pattern, "0.5 ms", BITS[0], "lava") for pattern in lava]
    return {
        "patterns": Figure(shown, patterns),
        "error": Figure([*compared, *simulated], partial(errors, steps, lava)),
    }


def _job(pattern: str, dt: str, bits: int | None, backend: str = "fused") -> RunJob:
    """A run in floating point (``bits`` None) or in integers."""
    settings = {**PATTERNS[pattern], "model.dt": dt, "record.state.every": dt}
    if bits is not None:
        settings |= {
            f"population.neuron.range.{v}": f'["{low}", "{high}", {bits}]'
            for v, (low, high) in RANGES.items()
        }
    kind = "float64" if bits is None else f"{bits}-bits-{backend}"
    name = f"{pattern}/{dt.replace(' ', '')}-{kind}".replace(" ", "-")
    return RunJob(
        name,
        MODEL_NAME,
        settings,
        backend=backend,
        precision="float64" if bits is None else "fixed",
    )


def interval_error(times: np.ndarray, reference: np.ndarray) -> float | None:
    """Mean relative error of the intervals between spikes, in per cent; None where there are fewer than two.

    Of the first intervals, as many as both trains have.
    """
    count = min(len(times), len(reference)) - 1
    if count < 1:
        return None
    ours, theirs = np.diff(times[: count + 1]), np.diff(reference[: count + 1])
    return 100 * float(np.mean(np.abs(ours - theirs) / theirs))


def _spikes(job: RunJob, setting: Setting) -> np.ndarray:
    return job.data(setting)["spikes_time"].values


def patterns(setting: Setting) -> Section:
    """The regimes, in floating point and in integers."""
    figure, axes = subplots(len(PATTERNS), 1, (COLUMN, 0.7 * len(PATTERNS) + 0.4), sharex=True)
    rows: list[list[str]] = []
    values: dict[str, float | int | None] = {}
    for axis, pattern in zip(axes, PATTERNS, strict=True):
        floating, fixed = (_job(pattern, "0.5 ms", bits) for bits in (None, BITS[0]))
        for job, colour, width in ((floating, CONTROL, 1.6), (fixed, MODEL, 0.7)):
            data = job.data(setting)
            axis.plot(data["time_state"], data["state_v"][:, 0], color=colour, lw=width)
        axis.set(ylim=(-95, 40))
        axis.set_title(pattern, loc="left")
        counts = [len(_spikes(job, setting)) for job in (floating, fixed)]
        rows.append([pattern, *map(str, counts)])
        values |= {f"{pattern.replace(' ', '_')}_spikes_fixed": counts[1]}
    axes[-1].set(xlabel="time (ms); thick: float64, thin: 24 bits", xlim=(0, 450))
    axes[len(axes) // 2].set(ylabel="v (mV)")
    path = save(figure, setting.work.folder / "patterns")
    return Section(
        "Firing patterns in integers",
        "The regimes that the paper shows on Loihi 2, with Izhikevich's values (2003, Fig. 2), Euler steps of 0.5 ms."
        " The paper's own values, inputs and time step could not be read.",
        [path],
        (["pattern", "spikes, float64", f"spikes, {BITS[0]} bits"], rows),
        values,
    )


def errors(steps: tuple[str, ...], lava: list[str], setting: Setting) -> Section:
    """The paper's measure of error, of our integers."""
    rows: list[list[str]] = []
    values: dict[str, float | int | None] = {}
    figure, axes = subplots(
        1, len(steps), (PAGE if len(steps) > 1 else COLUMN, 2.6), sharey=True, squeeze=False
    )
    for axis, dt in zip(axes[0], steps, strict=True):
        found: dict[int, list[float]] = {bits: [] for bits in BITS}
        for pattern in PATTERNS:
            reference = _spikes(_job(pattern, dt, None), setting)
            row = [pattern, dt, str(len(reference))]
            for bits in BITS:
                times = _spikes(_job(pattern, dt, bits), setting)
                error = interval_error(times, reference)
                found[bits].append(np.nan if error is None else error)
                last = (
                    f"{times[-1] - reference[-1]:+.1f} ms"
                    if len(times) == len(reference) > 0
                    else f"{len(times)} spikes"
                )
                row += ["" if error is None else f"{error:.2f} %", last]
                values[f"{pattern.replace(' ', '_')}_{dt.replace(' ', '')}_{bits}_bits_percent"] = (
                    error
                )
            rows.append(row)
        places = np.arange(len(PATTERNS))
        for shift, bits, colour in ((-0.2, BITS[0], MODEL), (0.2, BITS[1], CONTROL)):
            axis.barh(places + shift, found[bits], 0.38, color=colour, label=f"{bits} bits")
        axis.set_yticks(places, [*PATTERNS])
        axis.set(title=f"step {dt}", xlabel="error of intervals (%)")
    axes[0, 0].invert_yaxis()
    axes[0, -1].legend()
    path = save(figure, setting.work.folder / "error")
    columns = ["pattern", "step", "spikes"]
    for bits in BITS:
        columns += [f"error, {bits} bits", f"last spike, {bits} bits"]
    return Section(
        "Error of spike times in integers",
        "The paper compares the chip with a CPU in floating and in fixed point by a measure that it calls ERRt, for"
        " regular and for fast spiking, and calls the fixed-point results consistent; we could read this in a summary of"
        " the preprint alone, neither the definition nor the numbers. Here it is what the name stands for in the"
        " literature on digital neurons: the relative error of the time between two spikes, against the same scheme in"
        f" float64, as the mean over all intervals. States have {BITS[0]} or {BITS[1]} bits with the range -128 to 512 (v)"
        " and -64 to 64 (u), coefficients 16. Trains are the same until a step ends so close to the peak that rounding"
        " decides whether the spike is in it or in the next; from there on they are shifted, and where the interval is"
        f" near a whole number of steps and a half, longer or shorter by a step.{_same(lava, setting)}",
        [path],
        (columns, rows),
        values,
    )


def _same(lava: list[str], setting: Setting) -> str:
    """Whether Lava's processes made the same numbers."""
    if not lava:
        return " Lava is not installed: not run there."
    same = sum(
        np.array_equal(
            _job(pattern, "0.5 ms", BITS[0]).data(setting)["state_v"].values,
            _job(pattern, "0.5 ms", BITS[0], "lava").data(setting)["state_v"].values,
        )
        for pattern in lava
    )
    return f" In the simulator Lava v is the same to the bit in all steps for {same} of {len(lava)} patterns."
