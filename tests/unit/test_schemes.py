"""What a scheme, a precision or a target cannot work out is refused in one sentence, by `check`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import checks
from neuroglia_snn.cli import main
from neuroglia_snn.language import algebra, stages

HEAD = """
[model]
title = "m"
integrator = "{integrator}"
dt = "{dt}"
duration = "20 ms"
precision = "{precision}"
[parameters]
tau_m = "10 ms"
tau_e = "{tau_e}"
zero = "0"
one = "1"
[population.n]
size = 4
"""


def findings(
    folder: Path,
    body: str,
    integrator: str = "exact",
    tau_e: str = "10 ms",
    dt: str = "0.1 ms",
    precision: str = "float64",
) -> list[str]:
    """Errors of a model of one population, without their places."""
    head = HEAD.format(integrator=integrator, tau_e=tau_e, dt=dt, precision=precision)
    path = folder / "m.toml"
    path.write_text(head + body, encoding="utf-8")
    return [f.message for f in checks.check_file(str(path)) if f.severity == "error"]


PAIR = """
equations = '''
dv/dt = (g - v)/tau_m : 1
dg/dt = -g/tau_e : 1
'''
initial = { g = "1" }
"""
CANCEL = "time constants that are equal, or nearly so, cancel in its solution"


@pytest.mark.parametrize("tau_e", ["10 ms", "10.0000000001 ms", "9.99999999 ms"])
def test_exact_refuses_time_constants_that_cancel(tmp_path, tau_e):
    (message,) = findings(tmp_path, PAIR, tau_e=tau_e)
    assert "dv/dt" in message and CANCEL in message and "'rk4'" in message


def test_exact_refuses_them_in_one_unit_among_others(tmp_path):
    body = PAIR.replace("tau_e", "T").replace(
        "'''\ninitial = {", "T : second (constant)\n'''\ninitial = { T = '(9 + i)*ms',"
    )
    (message,) = findings(tmp_path, body)
    assert CANCEL in message


def test_exact_refuses_a_rate_of_nothing(tmp_path):
    (message,) = findings(tmp_path, "equations = 'dv/dt = (1 - zero*v)/tau_m : 1'")
    assert "dv/dt no number" in message


@pytest.mark.parametrize("tau_e", ["5 ms", "9.99 ms", "1000 second"])
def test_exact_takes_time_constants_that_differ(tmp_path, tau_e):
    assert findings(tmp_path, PAIR, tau_e=tau_e) == []


@pytest.mark.parametrize(
    ("integrator", "rate", "said"),
    [
        ("exact", "-v**2/tau_m", "'v ** 2' is not linear, as 'exact' needs"),
        ("exact", "-v/tau_m*(1 + t/tau_m)", "'exact' finds no solution"),
        ("exponential_euler", "-v*v/tau_m", "'-v * v' is not linear in v, as 'exponential_euler'"),
        ("euler", "v % v/tau_m", "divides by what follows from 'v'"),
        ("euler", "one//(2 + w)/tau_m", "divides by what follows from 'w'"),
        ("rk4", "v/zero/tau_m", "'v/zero' divides by 0 (zero = 0)"),
        ("rk4", "clip(v, one, zero)/tau_m", "cross: 1 is above 0 (zero = 0, one = 1)"),
        ("rk4", "log(zero)*v/tau_m", "'log(zero)' has no finite real value (zero = 0)"),
    ],
)
def test_what_has_no_right_step_is_refused(tmp_path, integrator, rate, said):
    body = f"equations = '''\ndv/dt = {rate} : 1\nw = v + 1 : 1\nk : integer\n'''"
    messages = findings(tmp_path, body, integrator)
    assert len(messages) == 1 and said in messages[0]


def test_an_integer_takes_what_32_bits_hold(tmp_path):
    body = "equations = 'k : integer'\ninitial = {{ k = '{}' }}"
    for text in ("3000000000", "i*10**9"):
        (message,) = findings(tmp_path, body.format(text), "euler")
        assert "2147483647" in message
    assert findings(tmp_path, body.format("i*10**8"), "euler") == []


SLOW = """
equations = '''
dw/dt = (1 - w)/(60*second) : 1
dx/dt = (w - x)/ms : 1
'''
initial = { w = "0.5" }
"""


def test_single_precision_is_refused_for_what_it_cannot_follow(tmp_path, capsys):
    (message,) = findings(tmp_path, SLOW, "euler", dt="2 us", precision="float32")
    assert message.startswith("'w' changes by") and "use float64" in message
    assert findings(tmp_path, SLOW, "euler", dt="1 ms", precision="float32") == []
    assert findings(tmp_path, SLOW, "euler", dt="2 us") == []
    command = ["run", str(tmp_path / "m.toml"), "--backend", "fused", "--precision", "float32"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "use float64" in capsys.readouterr().err


def test_single_precision_may_be_inherited(tmp_path):
    findings(tmp_path, SLOW, "euler", dt="2 us", precision="float32")
    child = tmp_path / "child.toml"
    child.write_text('[model]\nextends = "./m.toml"\ntitle = "c"\n', encoding="utf-8")
    (finding,) = [f for f in checks.check_file(str(child)) if f.severity == "error"]
    assert "use float64" in finding.message


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("x + dx*x", {"x": "(x + k)"}, "x + k + dx * (x + k)"),
        ("f(x, t)", {"f": "g", "t": "t + dt"}, "f(x, t + dt)"),
        ("a*b", {"a": "b", "b": "a"}, "b * a"),
        ("y", {"x": "1"}, "y"),
    ],
)
def test_names_are_substituted_in_trees(text, values, expected):
    assert algebra.substituted(text, values) == expected


@pytest.mark.parametrize(
    "text", ["a*x + b", "-(x - E)*g/C + I", "x/(1 + g)*(a - b) - (x + x)", "+x - -x*a", "a"]
)
def test_linear_parts_add_up(text):
    values = {"a": 1.7, "b": -0.3, "g": 2.1, "C": 0.7, "E": -4.0, "I": 0.9, "x": 1.3}
    parts = algebra.linear(text, ["x"])
    total = eval(parts.rest, dict(values)) + 1.3 * eval(parts.factors.get("x", "0"), dict(values))
    assert total == pytest.approx(eval(text, dict(values)))


@pytest.mark.parametrize("text", ["x*x", "1/x", "exp(x)", "x**1", "x*(a + x)", "int(x > 0)"])
def test_what_is_not_written_as_linear_is_not(text):
    with pytest.raises(algebra.NotLinear):
        algebra.linear(text, ["x"])


@pytest.mark.thorough
def test_definitions_that_double_have_an_end(tmp_path):
    lines = ["dv/dt = -a40/tau_m : 1", "a0 = v : 1"]
    lines += [f"a{n + 1} = a{n} + a{n} : 1" for n in range(40)]
    joined = "\n".join(lines)
    (message,) = findings(tmp_path, f"equations = '''\n{joined}\n'''", "euler")
    assert "with its definitions written out, it has over" in message


@pytest.mark.parametrize("name", sorted(stages.RUNGE_KUTTA))
def test_runge_kutta_tableaus_are_consistent(name):
    """Weights add up to 1, and the order conditions up to the second hold."""
    tableau = stages.RUNGE_KUTTA[name]
    weights = np.array(tableau.weights) / tableau.divisor
    assert weights.sum() == pytest.approx(1) and weights @ tableau.times == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[projection.p]\nfrom = "n"\nto = "n"\nconnect = { rule = ["all"] }',
            "needs rule = one of",
        ),
        ('[experiment]\nkind = ["mean-field"]', "needs kind = one of"),
    ],
)
def test_lists_where_a_name_is_due_are_refused(tmp_path, text, said):
    (message,) = findings(tmp_path, "equations = 'v : 1'\n" + text, "euler")
    assert said in message


def test_a_remainder_by_nothing_is_refused(tmp_path):
    (message,) = findings(tmp_path, "equations = 'dv/dt = (v % 0 + v)/ms : 1'", "euler")
    assert "divides by 0" in message
