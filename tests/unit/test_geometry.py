"""Lattices and footprints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroglia_snn.errors import UserError
from neuroglia_snn.language import geometry

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))
STEPS = st.tuples(st.integers(1, 4), st.integers(1, 4))


@st.composite
def footprints(draw):
    """(watched, watchers, size, step) that fit."""
    watchers, size, step = (
        draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        draw(STEPS),
        draw(STEPS),
    )
    spare = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    watched = tuple(
        (w - 1) * s + n + e for w, s, n, e in zip(watchers, step, size, spare, strict=True)
    )
    return watched, watchers, size, step


def pairs_of(index: np.ndarray) -> set[tuple[int, int]]:
    slot, site = np.nonzero(index >= 0)
    return {(int(index[s, n]), int(n)) for s, n in zip(slot, site, strict=True)}


@given(SHAPES, st.sampled_from([4, 8]))
def test_neighbours_are_mutual_distinct_and_adjacent(shape, count):
    index = geometry.lattice_neighbours(shape, count)
    pairs = pairs_of(index)
    assert len(pairs) == (index >= 0).sum()
    assert pairs == {(b, a) for a, b in pairs}
    for a, b in pairs:
        down, right = (
            abs(p - q) for p, q in zip(divmod(a, shape[1]), divmod(b, shape[1]), strict=True)
        )
        assert max(down, right) == 1 and (count == 8 or down + right == 1)


@given(st.tuples(st.integers(2, 9), st.integers(2, 9)))
def test_zero_flux_edges_have_fewer_neighbours(shape):
    count = (geometry.lattice_neighbours(shape) >= 0).sum(axis=0).reshape(shape)
    row, column = np.indices(shape)
    edges = np.isin(row, (0, shape[0] - 1)).astype(int) + np.isin(column, (0, shape[1] - 1))
    np.testing.assert_array_equal(count, 4 - edges)
    assert set(np.unique(count)) <= {2, 3, 4}


@given(SHAPES, st.integers(0, 99))
def test_coupling_to_the_mean_keeps_a_constant_and_passes_nothing_outside(shape, seed):
    index = geometry.lattice_neighbours(shape)
    x = np.random.default_rng(seed).normal(size=shape[0] * shape[1])
    flux = np.where(index >= 0, x[index] - x, 0)
    assert flux.sum() == pytest.approx(0, abs=1e-9)


def test_the_published_lattices():
    site, watcher = geometry.footprint_pairs((130, 130), (43, 43), (4, 4), (3, 3))
    assert site.size == watcher.size == 43 * 43 * 16
    for k in (0, 1, 42, 43, 900, 43 * 43 - 1):
        i, j = divmod(k, 43)
        rows, columns = np.divmod(site[watcher == k], 130)
        assert set(rows) == set(range(3 * i, 3 * i + 4))
        assert set(columns) == set(range(3 * j, 3 * j + 4))
    assert set(site) == set(range(130 * 130))  # every neuron is watched


@given(footprints())
def test_pairs_by_brute_force(case):
    watched, watchers, size, step = case
    expected = [
        ((i * step[0] + a) * watched[1] + j * step[1] + b, i * watchers[1] + j)
        for i in range(watchers[0]) for j in range(watchers[1])
        for a in range(size[0]) for b in range(size[1])
    ]  # fmt: skip
    got = geometry.footprint_pairs(*case)
    assert list(zip(*(x.tolist() for x in got), strict=True)) == expected


@given(footprints())
def test_the_first_footprint_is_the_lowest_that_covers(case):
    watched = case[0]
    expected = np.full(watched[0] * watched[1], -1)
    for site, watcher in sorted(
        zip(*geometry.footprint_pairs(*case), strict=True), key=lambda p: -p[1]
    ):
        expected[site] = watcher
    np.testing.assert_array_equal(geometry.first_footprint(*case), expected)


@given(footprints(), st.integers(0, 1))
def test_one_watcher_too_many_is_refused(case, axis):
    watched, watchers, size, step = case
    extra = (watched[axis] - size[axis]) // step[axis] + 2
    watchers = tuple(extra if n == axis else w for n, w in enumerate(watchers))
    with pytest.raises(UserError, match=f"the lattice has {watched[axis]}"):
        geometry.footprint_pairs(watched, watchers, size, step)


def test_refusing_takes_no_memory():
    with pytest.raises(UserError, match="rows"):
        geometry.check_footprints((10**4, 10**4), (9000, 9000), (9000, 9000), (1, 1))
