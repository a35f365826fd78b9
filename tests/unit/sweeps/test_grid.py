"""Points of a sweep from what the command line says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroglia_snn.errors import UserError
from neuroglia_snn.sweeps import Axis, Grid, axis


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("sigma2=0:0.2:5", ("0.0", "0.05", "0.1", "0.15", "0.2")),
        ("D_u=20,50, 100", ("20", "50", "100")),
        ("t=1:3:2 ms", ("1.0 ms", "3.0 ms")),
        ("t=1,2,3 ms", ("1 ms", "2 ms", "3 ms")),
        ("t=1 s,2 ms", ("1 s", "2 ms")),
        ("population.neuron.shape=[20, 20],[40, 40]", ("[20, 20]", "[40, 40]")),
        ("x=1:-1:3", ("1.0", "0.0", "-1.0")),
    ],
)
def test_values(text, values):
    assert axis(text).values == values


@pytest.mark.parametrize(
    "text",
    ["sigma2", "=1,2", "x=", "x=1,1", "x=a:b:3", "x=1,,2", "x=0:0:3"],
)
def test_nonsense_is_refused_in_one_sentence(text):
    with pytest.raises(UserError, match="--over") as error:
        axis(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values", ["0:1:0", "0:1:1", "0:0.2:x", "0:0.2", "0 ms:1 ms:3", "0:inf:3", "-1e308:1e308:3"]
)
def test_what_is_meant_as_a_range_and_is_none(values):
    said = rf"^--over takes NAME=VALUE,\.\.\. or NAME=START:STOP:COUNT .* not 'x={values}'$"
    with pytest.raises(UserError, match=said):
        axis(f"x={values}")


@pytest.mark.parametrize(
    ("axes", "seeds", "said"),
    [
        ((), 1, "--over NAME=VALUES at least once"),
        ((Axis("a", ("1",)), Axis("a", ("2",))), 1, "'a' is swept twice"),
        ((Axis("seed", ("1",)),), 1, "--seeds N, not with --over"),
        ((Axis("a", ("1",)),), 0, "--seeds must be at least 1"),
    ],
)
def test_grids_that_make_no_sense(axes, seeds, said):
    with pytest.raises(UserError, match=said):
        Grid(axes, seeds)


def test_a_grid_is_refused_that_would_take_all_memory():
    """The range before it is made: as many values as asked for would never come back."""
    with pytest.raises(UserError, match=r"1,000,000 points at most, .* not 999,9"):
        axis(f"x=0:1:{'9' * 15}")
    thousand = axis("x=0:1:1000"), axis("y=0:1:1000")
    assert Grid(thousand, 1).size == 1_000_000
    with pytest.raises(UserError, match="points at most, seeds included, not 2,000,000"):
        Grid(thousand, 2)


def test_coordinates_are_numbers_with_a_unit_where_they_can_be():
    values, unit = axis("t=1:3:3 ms").coordinates
    assert unit == "ms" and np.array_equal(values, [1, 2, 3])
    assert axis("t=1 s,2 ms").coordinates[0].tolist() == ["1 s", "2 ms"]
    assert axis("D_u=20,1e2").coordinates[0].tolist() == [20, 100]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 3), st.integers(0, 99))
def test_every_combination_comes_once(lengths, seeds, seed):
    axes = tuple(Axis(f"p{n}", tuple(map(str, range(c)))) for n, c in enumerate(lengths))
    grid = Grid(axes, seeds, seed)
    points = list(grid.points())
    assert len(points) == grid.size == len({p.place for p in points})
    assert {p.place for p in points} == set(np.ndindex(*grid.shape))
    assert all(p.seed == seed + p.place[-1] for p in points)
    assert all(p.settings[f"p{n}"] == str(k) for p in points for n, k in enumerate(p.place[:-1]))
