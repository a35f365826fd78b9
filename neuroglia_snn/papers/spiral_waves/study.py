"""A spiral of a deterministic medium, plane waves in it, and a spiral of the lattice that noise makes excitable."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from neuroglia_snn.experiments.work import Section
from neuroglia_snn.papers.figures import Figure
from neuroglia_snn.papers.jobs import RunJob, Setting
from neuroglia_snn.papers.spiral_waves import plane, waves
from neuroglia_snn.results import movie
from neuroglia_snn.results.style import (
    BEHIND,
    COLUMN,
    CONTROL,
    LEVELS,
    MODEL,
    PAGE,
    bare,
    save,
    subplots,
)

#: Distance of units in `spiral_waves`, and of recorded ones.
H, RECORDED = 0.25, 1.0
#: Angular frequency of the same spiral in Biktasheva et al. 2009, as remembered: the text was not at hand.
PUBLISHED_FREQUENCY = 0.5819
#: Lengths of rings between which the spiral's wavelength lies.
RINGS = (18.0, 21.0, 24.0)
NOISY = "noise_induced_spirals"
#: The share of neurons up to which excitation is that of noise alone, and no wave.
FEW = 0.002


def figures(quick: bool) -> dict[str, Figure]:
    """By name."""
    settings = {"model.duration": "100 ms"} if quick else {}
    spiral_job = RunJob("spiral", plane.SHEET, settings)
    rings = [plane.ring(length) for length in RINGS]
    steps = [*plane.FINER][:3] if quick else [*plane.FINER]
    speeds = {frozen: [plane.job(h, frozen) for h in steps] for frozen in (True, False)}
    half_step = plane.job("0.25", False, "0.005")
    brief = {"model.duration": "24 ms"} if quick else {}
    noisy = {
        "D_u = 300, D_v = 100": RunJob("noise", NOISY, brief),
        "D_u = D_v = 100 (Table I)": RunJob(
            "noise-table-1", NOISY, {"D_u": "100", "model.duration": "24 ms"}
        ),
    }
    return {
        "spiral": Figure([spiral_job, *rings], partial(spiral, spiral_job, rings)),
        "plane": Figure(
            [*speeds[True], *speeds[False], half_step], partial(planes, steps, half_step)
        ),
        "noise": Figure([*noisy.values()], partial(noise, noisy)),
    }


def spiral(job: RunJob, rings: list[RunJob], setting: Setting) -> Section:
    """The spiral of `spiral_waves`."""
    data = job.data(setting)
    times = data["time_frames"].values
    u, v = data["frames_u"].values, data["frames_v"].values
    half = times[-1] / 2
    late = np.flatnonzero(times >= half)
    tips = {n: waves.tip(u[n], v[n]) for n in late}
    path_of_tip = RECORDED * np.array([t for t in tips.values() if t is not None])
    at = np.array([times[n] for n, t in tips.items() if t is not None])
    centre, radius = waves.circle(path_of_tip)
    away = np.hypot(*(path_of_tip - centre).T)
    angle = np.unwrap(np.arctan2(*(path_of_tip - centre).T))
    turning = waves.Line.through(at, angle)
    passed = waves.crossings(u.reshape(len(u), -1), times)
    between = waves.intervals(passed, half)
    period = float(between.mean())
    ray = _ray(data, centre, turning.slope)
    fronts = _fronts(data, ray["row"], ray["distance"], ray["columns"])
    wavelength = ray["speed"] * period
    ring = _ring_period(rings, wavelength, setting)
    wall = job.summary(setting)["wall_seconds"]
    steps = round(job.summary(setting)["duration_ms"] / job.summary(setting)["dt_ms"])
    path = _draw_spiral(data, path_of_tip, centre, ray, fronts, setting.work.folder / "spiral")
    moving = movie.write(
        data.isel(time_frames=slice(None, None, 4)),
        "frames_u",
        setting.work.folder / "spiral.gif",
        15,
        "viridis",
    )
    values = {
        "period": period,
        "period_standard_deviation": float(between.std(ddof=1)),
        "frequency": 2 * np.pi / period,
        "frequency_of_tip": abs(turning.slope),
        "speed": ray["speed"],
        "speed_standard_error": ray["error"],
        "wavelength": wavelength,
        "wavelength_in_the_picture": fronts["wavelength"],
        "tip_radius": radius,
        "period_of_a_ring_of_this_length": ring,
        "us_a_step": 1e6 * wall["loop"] / steps,
    }
    rows = [
        [
            "period, from passages of u through 0",
            f"{period:.4f} ± {between.std(ddof=1):.4f} (all units)",
        ],
        [
            "angular frequency",
            f"{values['frequency']:.4f}; of the tip {abs(turning.slope):.4f};"
            f" Biktasheva et al. 2009 {PUBLISHED_FREQUENCY} (remembered)",
        ],
        ["speed along a ray", f"{ray['speed']:.4f} ± {ray['error']:.4f}"],
        [
            "wavelength = speed x period",
            f"{wavelength:.3f}; in the last picture {fronts['wavelength']:.3f}",
        ],
        ["period of one pulse on a ring of this length", "none" if ring is None else f"{ring:.3f}"],
        [
            "tip",
            f"runs in a circle of radius {radius:.3f} ± {away.std(ddof=1):.3f} about row {centre[0]:.1f}, column {centre[1]:.1f}",
        ],
        [
            "time on fused",
            f"{values['us_a_step']:.0f} us a step of {data.sizes['row_frames'] * 4} x"
            f" {data.sizes['column_frames'] * 4} units; {wall['loop']:.1f} s",
        ],
    ]
    return Section(
        "A spiral wave",
        "Crossed gradients curl up into one spiral, which turns for good. Units of length and time are the medium's, in"
        f" which neighbours are {H:g} apart. Passages after the half of the run count. The speed is of one front along the row"
        " through the spiral's centre, from a wavelength on, by least squares of its times. A movie is in"
        f" {moving.name}.",
        [path],
        (["", "found"], rows),
        values,
    )


def _ray(data: xr.Dataset, centre: np.ndarray, frequency: float) -> dict:
    """One front along the row next to the centre, to the right: where it is when.

    ``frequency`` is that of the tip, with its sign.
    """
    times = data["time_frames"].values
    row = round(centre[0] / RECORDED)
    columns = np.arange(data.sizes["column_frames"])
    across = columns * RECORDED - centre[1]
    columns = columns[(across > 15) & (columns < data.sizes["column_frames"] - 5)]
    offsets = np.column_stack(
        [np.full(len(columns), row * RECORDED - centre[0]), columns * RECORDED - centre[1]]
    )
    passed = waves.crossings(data["frames_u"].values[:, row, columns], times)
    reached = [passed[-1][-1]]
    for one in passed[-2::-1]:  # inwards: the same front was there before
        reached.append(one[one <= reached[-1]][-1])
    at = waves.unturned(np.array(reached[::-1]), offsets, frequency)
    distance = np.hypot(*offsets.T)
    speed, error = waves.speed(distance, at)
    assert np.all(np.diff(at) < np.pi / abs(frequency)), "one front, not two"
    return {
        "row": row,
        "columns": columns,
        "distance": distance,
        "at": at,
        "speed": speed,
        "error": error,
    }


def _fronts(data: xr.Dataset, row: int, distance: np.ndarray, columns: np.ndarray) -> dict:
    """Distances of the fronts from the centre in the last frame, and how far they are apart."""
    last = data["frames_u"].values[-1, row, columns]
    [places] = waves.crossings(-last[:, None], distance)  # outwards u falls through 0 at a front
    line = waves.Line.through(np.arange(len(places)), places)
    return {"places": places, "wavelength": line.slope}


def _ring_period(rings: list[RunJob], length: float, setting: Setting) -> float | None:
    """Period of a ring of some length, by the parabola through the rings that were run."""
    periods = [plane.ring_period(ring, setting) for ring in rings]
    if None in periods:
        return None
    return float(np.polyval(np.polyfit(RINGS, np.array(periods, float), 2), length))


def _draw_spiral(
    data: xr.Dataset, tips: np.ndarray, centre: np.ndarray, ray: dict, fronts: dict, path: Path
) -> Path:
    figure, axes = subplots(2, 2, (PAGE, 6.2))
    u = data["frames_u"]
    extent = (0, RECORDED * u.shape[2], RECORDED * u.shape[1], 0)
    for axis, place in ((axes[0, 0], len(u) // 8), (axes[0, 1], len(u) - 1)):
        axis.imshow(u[place], extent=extent, cmap=LEVELS, vmin=-2, vmax=2)
        axis.set_title(f"u at t = {float(data['time_frames'][place]):g}", loc="left")
    axes[0, 1].axhline(ray["row"] * RECORDED, color="w", lw=0.6, ls=":")
    axes[0, 1].plot(
        centre[1] + fronts["places"],
        [ray["row"] * RECORDED] * len(fronts["places"]),
        ".",
        color=CONTROL,
    )
    axes[1, 0].plot(tips[:, 1], tips[:, 0], color=MODEL, lw=0.8)
    axes[1, 0].plot(centre[1], centre[0], "k+")
    axes[1, 0].set(aspect="equal", xlabel="column x h", ylabel="row x h")
    axes[1, 0].invert_yaxis()
    axes[1, 0].set_title("path of the tip (u = v = 0)", loc="left")
    axes[1, 1].plot(ray["distance"], ray["at"], ".", color=MODEL)
    axes[1, 1].set(xlabel="distance from the centre", ylabel="time")
    axes[1, 1].set_title(f"one front along a ray: speed {ray['speed']:.3f}", loc="left")
    return save(figure, path)


def planes(steps: list[str], half_step: RunJob, setting: Setting) -> Section:
    """Plane waves: against a known speed, and against finer lattices."""
    exact = plane.front_speed()
    front, pulse = (
        np.array([plane.wave_speed(plane.job(h, frozen), setting) for h in steps])
        for frozen in (True, False)
    )
    limit = float(pulse[-1] + (pulse[-1] - pulse[-2]) / 3)  # errors fall as h**2, and dt with h**2
    usual = steps.index(str(H))
    other = plane.wave_speed(half_step, setting)
    h = np.array([float(one) for one in steps])
    figure, axis = subplots(1, 1, (COLUMN, 2.5))
    axis.loglog(
        h, np.abs(front / exact - 1), "o-", color=CONTROL, label="front, against the known speed"
    )
    axis.loglog(
        h[:-1], np.abs(pulse[:-1] / limit - 1), "o-", color=MODEL, label="pulse, against h = 0"
    )
    axis.loglog(h, 0.4 * h**2, color=BEHIND, lw=0.8, ls="--", label="slope 2")
    axis.set(xlabel="distance of units h", ylabel="relative error of the speed")
    axis.legend()
    path = save(figure, setting.work.folder / "plane")
    rows = [
        [
            one,
            plane.FINER[one],
            f"{f:.5f}",
            f"{100 * (f / exact - 1):+.3f} %",
            f"{p:.5f}",
            f"{100 * (p / limit - 1):+.3f} %",
        ]
        for one, f, p in zip(steps, front, pulse, strict=True)
    ]
    rows += [["0", "", f"{exact:.5f} (known)", "", f"{limit:.5f} (extrapolated)", ""]]
    return Section(
        "Plane waves and the error of the lattice",
        "A front into the resting medium whose v is held has a known speed, sqrt(D/(6 eps))*(u1 + u3 - 2*u2) with the zeros u1"
        " < u2 < u3 of its cubic; a pulse, whose v moves, has none, so finer lattices stand for it (Richardson's extrapolation"
        f" of the last two). At h = {H:g}, which the spiral has, the pulse is {100 * (pulse[usual] / limit - 1):+.2f} % off; half"
        f" the time step changes it by {100 * (other / pulse[usual] - 1):+.4f} %.",
        [path],
        (["h", "dt (ms)", "front", "error", "pulse", "error"], rows),
        {
            "front_speed_known": exact,
            **{f"front_speed_at_h_{one}": float(f) for one, f in zip(steps, front, strict=True)},
            **{f"pulse_speed_at_h_{one}": float(p) for one, p in zip(steps, pulse, strict=True)},
            "pulse_speed": limit,
            "half_step_changes": float(other / pulse[usual] - 1),
        },
    )


def noise(jobs: dict[str, RunJob], setting: Setting) -> Section:
    """The lattice of `noise_induced_memory`, which oscillates without noise."""
    rows, values = [], {}
    drawing = None
    for coupling, job in jobs.items():
        data = job.data(setting)
        u, times = data["frames_U"].values, data["time_frames"].values
        excited = (u > 2).mean(axis=(1, 2))
        over = np.flatnonzero(excited <= FEW)
        lasts = float(times[over[0]] if len(over) else times[-1])
        passed = waves.crossings(u.reshape(len(u), -1) - 2, times)
        between = waves.intervals([one[one <= lasts] for one in passed], 0.0)
        said = ""
        if len(between):
            said = f"{np.median(between):.1f} ({np.percentile(between, 25):.1f} to {np.percentile(between, 75):.1f})"
            values[f"{job.name.replace('-', '_')}_interval"] = float(np.median(between))
        until = f"until {lasts:.1f}" if len(over) else f"to the end ({lasts:.0f})"
        rows.append([coupling, until, said])
        values[f"{job.name.replace('-', '_')}_lasts"] = lasts
        if drawing is None:
            drawing = u, times
            part = data.isel(time_frames=slice(None, None, 4))
            moving = movie.write(part, "frames_U", setting.work.folder / "noise.gif", 15, "viridis")
    assert drawing is not None
    u, times = drawing
    figure, axes = subplots(2, 4, (PAGE, 3.8))
    for axis, place in zip(axes.flat, np.linspace(2, len(u) - 1, 8).astype(int), strict=True):
        axis.imshow(u[place], cmap=LEVELS, vmin=-2, vmax=6)
        bare(axis)
        axis.set_title(f"t = {times[place]:.1f}")
    path = save(figure, setting.work.folder / "noise")
    return Section(
        "A spiral in the lattice that noise makes excitable",
        "Zhao et al. (2022) say of their lattice that with noise it carries spiral waves, after Ullner et al. (2003), and show none."
        " 512 x 512 of their neurons do, at sigma^2 = 0.065 and a coupling of U of 300 (that of their Fig. 2 f), with a third of it"
        " for V: the free end of a strip curls up and turns, on a ragged path; where noise takes it to the edge, the wave is gone."
        " At the coupling of Table I the strip breaks into pieces, which run on and fade, and waves start by themselves: fronts are"
        " slower there, so that V, which spreads as before, overtakes them from behind, most likely. Activity lasts until no"
        f" more than {100 * FEW:g} % of all neurons are above 2. The interval is the median (quartiles) between passages of U"
        f" through 2, of all recorded neurons. A movie is in {moving.name}.",
        [path],
        (["coupling", "activity lasts", "interval (units of time)"], rows),
        values,
    )
