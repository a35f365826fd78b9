"""Spiral waves: their measures on made-up waves, the speed of a front against theory, the same period on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from neuroglia_snn import backends, results
from neuroglia_snn.backends.base import Request
from neuroglia_snn.checks import load_checked
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.papers.jobs import Setting
from neuroglia_snn.papers.spiral_waves import plane, waves


def made_up(size: int, times: np.ndarray, centre: np.ndarray, wavelength: float, period: float):
    """u and v of an Archimedean spiral, (time, row, column), and its (row, column) tip."""
    row, column = np.indices((size, size))
    distance = np.hypot(row - centre[0], column - centre[1])
    angle = np.arctan2(row - centre[0], column - centre[1])
    phase = 2 * np.pi * (times[:, None, None] / period - distance / wavelength) + angle
    near = np.minimum(1, distance / 3)
    return near * np.sin(phase), near * np.cos(phase)


def test_measures_of_a_made_up_spiral():
    """Of period 8, wavelength 20 and so speed 2.5, about a centre that no unit is at."""
    times, centre = np.arange(0, 60, 0.1), np.array([30.3, 31.8])
    u, v = made_up(64, times, centre, 20.0, 8.0)
    passed = waves.crossings(u.reshape(len(u), -1), times)
    between = waves.intervals(passed, 20.0)
    assert between.mean() == pytest.approx(8.0, rel=1e-3) and between.std() < 0.02
    found = waves.tip(u[100], v[100])
    assert found is not None and np.hypot(*(np.array(found) - centre)) < 0.3
    positions = np.arange(40, 62)
    reached = np.array([passed[30 * 64 + n][-1] for n in positions])
    reached = reached[0] + np.unwrap(reached - reached[0], period=8.0)
    offsets = np.column_stack([np.full(len(positions), 30 - centre[0]), positions - centre[1]])
    straight = waves.unturned(reached, offsets, -2 * np.pi / 8.0)
    speed, error = waves.speed(np.hypot(*offsets.T), straight)
    assert speed == pytest.approx(2.5, rel=2e-3) and error < 0.01


def test_where_there_is_no_tip_there_is_none():
    row, column = np.indices((16, 16))
    assert waves.tip(row - 7.5, row - 3.5) is None
    assert waves.tip(row - 7.2, column - 4.6) == pytest.approx((7.2, 4.6))


def test_a_circle_through_points():
    angle = np.linspace(0, 4, 30)
    points = np.column_stack([3 + 2 * np.cos(angle), -1 + 2 * np.sin(angle)])
    centre, radius = waves.circle(points)
    np.testing.assert_allclose([*centre, radius], [3, -1, 2], atol=1e-12)


def test_a_unit_rests_where_the_formulas_say(tmp_path):
    u, v = plane.rest()
    settings = {
        "n": "4",
        "population.sheet.initial.u": f"{u:.15g}",
        "population.sheet.initial.v": f"{v:.15g}",
    }
    model, _ = load_checked(plane.SHEET, settings)
    final = (
        backends.get("numpy")
        .run(Request(model.__class__(**{**vars(model), "duration": 0.01})))
        .final["sheet"]
    )
    np.testing.assert_allclose(final["u"], u, atol=1e-12)
    np.testing.assert_allclose(final["v"], v, atol=1e-12)


def test_a_front_has_its_known_speed(tmp_path):
    """Within 3 % at h = 0.5, with an error that falls as h**2."""
    setting, exact = Setting(Work(tmp_path), 0), plane.front_speed()
    off = []
    for h in ("0.5", "0.25"):
        job = plane.job(h, frozen=True)
        job.carry_out(setting)
        off.append(plane.wave_speed(job, setting) / exact - 1)
    assert abs(off[0]) < 0.03
    assert 3.5 < off[0] / off[1] < 5


SMALL = {
    "n": "48",
    "h": "1",
    "model.dt": "0.05 ms",
    "model.duration": "60 ms",
    "record.frames.stride": "2",
}


def period_on(backend: str) -> float:
    model, _ = load_checked(plane.SHEET, SMALL)
    data = results.dataset(model, backends.get(backend).run(Request(model)))
    u = data["frames_u"].values
    passed = waves.crossings(u.reshape(len(u), -1), data["time_frames"].values)
    between = waves.intervals(passed, 30.0)
    assert len(between) > 500  # it goes on turning
    return float(between.mean())


def test_the_period_does_not_depend_on_the_backend():
    """On a lattice so coarse that the wave only just runs, 48 x 48 units."""
    assert period_on("fused") == pytest.approx(period_on("numpy"), rel=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["cpp", "lava"])
def test_nor_on_the_other_backends(backend):
    if backend == "lava":
        pytest.importorskip("lava")
    assert period_on(backend) == pytest.approx(period_on("fused"), rel=1e-9)
