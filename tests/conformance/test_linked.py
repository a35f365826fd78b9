"""Linked variables: one population reads another one's values under a name of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load

LINKED = Path(__file__).with_name("linked.toml")
RIGHT = LINKED.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "backend", ["numpy", "fused", pytest.param("cpp", marks=pytest.mark.thorough)]
)
def test_units_read_what_they_are_linked_to(backend):
    """Populations make their steps in the order of their names: b reads x of the step that a_source made."""
    found = backends.get(backend).run(Request(load(LINKED))).records
    x = np.arange(3) + 0.1 * np.arange(30)[:, None]
    each = np.arange(6) // 2
    np.testing.assert_allclose(found["b"].values["X"], x[:, each], rtol=1e-12)
    np.testing.assert_allclose(found["c"].values["X"], x, rtol=1e-12)
    w = 0.9 ** np.arange(30)
    np.testing.assert_allclose(found["c"].values["Y"], np.repeat(w[:, None], 3, 1), rtol=1e-12)
    y = 0.1 * np.cumsum(x + 0.1, 0)[:, each]
    np.testing.assert_allclose(found["b"].values["y"][1:], y[:-1], rtol=1e-12)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('X = "a_source.x"', "", "'X' has the flag 'linked': say to what"),
        (
            'X = "a_source.x"',
            'X = "source.x"',
            "'linked.X' names 'source', which is not a population, did you mean 'a_source'?",
        ),
        (
            'X = "a_source.x"',
            'X = "a_source.y"',
            "'a_source.y' is no variable with values of its own",
        ),
        ('X = "a_source.x"', 'X = "b.X"', "'b.X' is no variable with values of its own"),
        ('X = "a_source.x"', 'X = "b.y"', "'b.y' has 6 values for 3 units: say which"),
        (
            'X = "a_source.x"',
            'X = "a_source.x"\nQ = "one.w"',
            "'Q' is linked, and is no variable 'Q : unit",
        ),
        ("i//half", "i - half", "index = 'i - half' gives each unit i a whole number from 0 to 2"),
        ("i//half", "rand()", "gives each unit i a whole number from 0 to 2"),
        ("X : 1 (linked)\nY", "X : volt (linked)\nY", "inconsistent units"),
        ("initial = { w", "reset = 'w = 0'\ninitial = { w", "'reset' without 'threshold'"),
        ("(X + Y)/ms : 1", "(X + Y)/ms : 1\nN2 : 1", None),
    ],
)
def test_a_link_that_does_not_do(tmp_path, old, new, said):
    assert old in RIGHT
    (tmp_path / "m.toml").write_text(RIGHT.replace(old, new, 1), encoding="utf-8")
    errors = [f.message for f in checks.check_file(tmp_path / "m.toml") if f.severity == "error"]
    assert (not errors) if said is None else any(said in e for e in errors), errors
    assert all("\n" not in e for e in errors)
