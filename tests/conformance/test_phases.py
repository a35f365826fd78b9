"""Phases of a run: what each sets holds from its first step to its last."""

from __future__ import annotations

import numpy as np
import pytest

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load

MODEL = """
[model]
dt = "0.1 ms"
integrator = "euler"
[parameters]
k = { value = "1", min = "0" }
tau = "5 ms"
start = "0.25"
[population.n]
size = 3
equations = '''
dv/dt = (k*I - v)/tau : 1
I : 1
'''
[population.n.initial]
v = "start*i"
[stimulus.A]
to = "n"
variable = "I"
amplitude = "2"
start = "1 ms"
[stimulus.B]
to = "n"
variable = "I"
amplitude = "3*k"
duration = "1 ms"
[[phase]]
name = "train"
duration = "5 ms"
set = { A = true, k = 2 }
[[phase]]
name = "rest"
duration = "2.5 ms"
set = { tau = "7 ms" }
[[phase]]
name = "recall"
duration = "5 ms"
set = { A = true, B = true, tau = "2*tau" }
[record.n]
population = "n"
variables = ["v"]
"""


def right() -> np.ndarray:
    """v before each step, by loops."""
    v, rows = 0.25 * np.arange(3), []
    for step in range(125):
        k = 2 if step < 50 else 1
        tau = 5 if step < 50 else 7 if step < 75 else 10
        drive = 2.0 * (10 <= step < 50 or step >= 85) + 3 * k * (75 <= step < 85)
        rows.append(v)
        v = v + 0.1 * (k * drive - v) / tau
    return np.array(rows)


@pytest.mark.parametrize(
    "backend", ["numpy", "fused", pytest.param("cpp", marks=pytest.mark.thorough), "lava"]
)
def test_each_phase_has_its_own_settings(tmp_path, backend):
    (tmp_path / "m.toml").write_text(MODEL, encoding="utf-8")
    model = load(tmp_path / "m.toml")
    assert [(p.name, p.start, p.end) for p in model.phases] == [
        ("train", 0, 0.005),
        ("rest", 0.005, 0.0075),
        ("recall", 0.0075, 0.0125),
    ]
    found = backends.get(backend).run(Request(model)).records["n"]
    np.testing.assert_allclose(found.values["v"], right(), rtol=1e-12)


PATTERNS = """
[model]
dt = "0.1 ms"
integrator = "euler"
[population.n]
shape = [2, 3]
equations = '''
dv/dt = I/ms : 1
I : 1
'''
[stimulus.A]
to = "n"
variable = "I"
amplitude = "2"
image = { file = "p.npz", array = "A" }
[stimulus.B]
to = "n"
variable = "I"
amplitude = "1"
image = { file = "p.npz", array = "B" }
[[phase]]
name = "first"
duration = "1 ms"
set = { A = true }
[[phase]]
name = "second"
duration = "1 ms"
set = { B = true }
[[phase]]
name = "recall"
duration = "1 ms"
set = { A = true, B = true }
"""


@pytest.mark.parametrize(
    "backend", ["numpy", "fused", pytest.param("cpp", marks=pytest.mark.thorough), "lava"]
)
def test_patterns_of_a_file_one_after_the_other(tmp_path, backend):
    a, b = np.arange(6.0).reshape(2, 3) % 2, np.linspace(0, 1, 6)
    np.savez(tmp_path / "p.npz", A=a, B=b)
    (tmp_path / "m.toml").write_text(PATTERNS, encoding="utf-8")
    found = backends.get(backend).run(Request(load(tmp_path / "m.toml")))
    tolerance = 1e-12
    np.testing.assert_allclose(found.final["n"]["v"], 4 * a.ravel() + 2 * b, rtol=tolerance)
    np.savez(tmp_path / "p.npz", A=a.ravel()[:5], B=b)
    (error,) = [f.message for f in checks.check_file(tmp_path / "m.toml")]
    assert error == (
        "image of stimulus 'A': the array has 5 values, and needs a value for each of the 2 x 3 units"
    )


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('name = "rest"\n', "", "a phase has no 'name'"),
        ('name = "rest"', 'name = "train"', "two phases are called 'train'"),
        (
            "k = 2",
            "kk = 2",
            "phase 'train' sets 'kk', which is neither a parameter nor a stimulus, did you mean 'k'?",
        ),
        ("k = 2", "k = -2", "'k' = -2 is below its minimum 0"),
        ("k = 2", 'k = "2 mV"', "'k' = 2 mV is in 'volt', the parameter in '1'"),
        ("k = 2", "start = 2", "sets 'start', which nothing reads in a run"),
        (
            "set = { A = true, k = 2 }",
            "set = { A = 1 }",
            "stimulus 'A' is true (on) or false (off), not 1",
        ),
        ("B = true", "B = false", "stimulus 'B' is on in no phase"),
        (
            'start = "1 ms"',
            'start = "4 ms"\nduration = "2 ms"',
            "'A' lasts beyond the phase 'train'",
        ),
        ('duration = "2.5 ms"', 'duration = "2.5 ms"\nlength = 2', "'length' is no key of a phase"),
        (
            'duration = "2.5 ms"',
            'duration = "0.05 ms"',
            "phase 'rest' lasts 0.05 ms, less than a step",
        ),
        (
            'integrator = "euler"',
            'integrator = "euler"\nduration = "9 ms"',
            "the phases last 12.5 ms together",
        ),
        ('tau = "5 ms"', 'tau = "5*t1"\nt1 = "1 ms"', None),
        ("size = 3", 'size = "3*k"', "sets 'k', which sizes or other parameters are made of"),
    ],
)
def test_a_phase_that_does_not_do(tmp_path, old, new, said):
    assert old in MODEL
    (tmp_path / "m.toml").write_text(MODEL.replace(old, new, 1), encoding="utf-8")
    errors = [f.message for f in checks.check_file(tmp_path / "m.toml") if f.severity == "error"]
    assert (not errors) if said is None else (len(errors) == 1 and said in errors[0]), errors


@pytest.mark.parametrize(
    "edits, line, said",
    [
        (
            [('integrator = "euler"', 'integrator = "exact"'), ("k*I", "I"), ("k = 2", "k = 1")],
            33,
            "phase 'rest' sets 'tau', on which 'exact' rests in 'n': use 'exponential_euler' or 'rk4'",
        ),
        (
            [('tau = "7 ms"', 'tau = "0 ms"')],
            11,
            "in phase 'rest': dv/dt: '(k*I - v)/tau' divides by 0 (tau = 0)",
        ),
        (
            [("k*I", "I*clip(v, 0, k - 1)"), ("k = 2", "k = 0.5")],
            11,
            "in phase 'train': dv/dt: the bounds of 'clip(v, 0, k - 1)' cross: 0 is above -0.5",
        ),
        (
            [
                ("size = 3", 'size = 3\nthreshold = "v > 9"\nrefractory = "sqrt(k - 1)*ms"'),
                ("k = 2", "k = 0"),
            ],
            11,
            "in phase 'train': refractory: 'sqrt(k - 1)*ms' has no finite real value",
        ),
        ([("3*k", "3/k"), ("k = 2", "k = 0")], None, None),  # B is on in another phase alone
        (
            [("3*k", "3/k"), ("B = true, ", "B = true, k = 0, ")],
            24,
            "in phase 'recall': amplitude of B: '3/k' has no finite real value",
        ),
        ([("2*tau", "2*taux")], 37, "unknown symbol 'taux' in phase 'recall'"),
        ([("2*tau", "-2*mV")], 37, "phase 'recall': 'tau' = -2*mV is in 'volt'"),
        ([("A = true, B = true", "A = true, B = 3")], 37, "phase 'recall': stimulus 'B' is true"),
        ([('name = "recall"', 'name = "rest"')], 35, "two phases are called 'rest'"),
    ],
)
def test_values_of_phases_are_checked_where_they_stand(tmp_path, edits, line, said):
    text = MODEL.lstrip("\n")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    errors = [f for f in checks.check_file(path) if f.severity == "error"]
    if said is None:
        assert not errors
    else:
        (error,) = errors
        assert said in error.message and error.where == f"{path}:{line}", error
