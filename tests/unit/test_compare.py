"""A run in fixed point says how far from floating point it is, and warns where that is too far."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.fused import FusedBackend, device
from neuroglia_snn.catalog.load import load
from neuroglia_snn.emit import library
from neuroglia_snn.fixedpoint.compare import Course
from neuroglia_snn.options import Options
from neuroglia_snn.runs import run

pytestmark = pytest.mark.skipif(library.missing() is not None, reason=str(library.missing()))

#: Bursting exponential integrate-and-fire unit (after Naud et al., Biol. Cybern. 99, 2008): the
#: exponential is up to 1e11 where the voltage is cut off.
ADEX = """
[model]
title = "AdEx"
integrator = "euler"
dt = "0.1 ms"
duration = "600 ms"
[parameters]
c_m = "200 pF"
g_l = "10 nS"
e_l = "-58 mV"
v_t = "-50 mV"
d_t = "2 mV"
a = "2 nS"
tau_w = "120 ms"
b = "100 pA"
v_r = "-46 mV"
i_stim = "210 pA"
[population.neuron]
size = 1
equations = '''
dvm/dt = (g_l*(e_l - vm) + g_l*d_t*exp((vm-v_t)/d_t) + i_stim - w)/c_m : volt
dw/dt  = (a*(vm - e_l) - w)/tau_w : amp
'''
threshold = "vm > 0*mV"
reset = "vm = v_r; w += b"
[population.neuron.initial]
vm = "e_l"
[population.neuron.range]
vm = ["-75 mV", "1 mV"]
w = ["-100 pA", "600 pA"]
[record.states]
population = "neuron"
variables = ["vm", "w"]
"""

NOISY = """
[model]
noise = "ito"
integrator = "euler-maruyama"
dt = "0.1 ms"
duration = "200 ms"
[population.a]
size = 10
equations = "dx/dt = (0.6 - x)/(10*ms) + 0.9*xi/sqrt(10*ms) : 1"
threshold = "x > 1"
reset = "x = 0"
range = { x = ["-8", "8", BITS] }
"""


def compared(tmp_path, text: str, **settings):
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    FusedBackend().run(Request(load(str(path), settings), seed=1, precision="fixed"))
    return device.fixed.comparison, device.fixed


@pytest.mark.thorough
def test_an_exponential_that_runs_away_keeps_its_small_values(tmp_path):
    spikes = '\n[record.spikes]\npopulation = "neuron"\nevents = true\n'
    found, _ = compared(tmp_path, ADEX + spikes)
    ((exact, whole),) = found.events.values()
    assert exact == 11 and abs(whole - 11) <= 1
    assert not found.warnings()
    w = found.courses["neuron_.w"]
    assert w.rms < 0.15 * w.spreads[0]


def test_too_few_bits_are_said_with_the_variable_and_the_numbers(tmp_path):
    found, _ = compared(tmp_path, ADEX.replace('["-75 mV", "1 mV"]', '["-75 mV", "1 mV", 10]'))
    assert any("'neuron_.vm' has mean" in said for said in found.warnings())
    assert all("in floating point" in said for said in found.warnings())


def test_the_noise_is_the_same_in_both(tmp_path):
    found, fixed = compared(tmp_path, NOISY.replace("BITS", "24"))
    x = found.courses["a_.x"]
    assert x.spreads[0] > 0.2
    assert x.rms < 0.05 * x.spreads[0] and not found.warnings() and not fixed.standing
    rough, _ = compared(tmp_path, NOISY.replace("BITS", "7"))
    assert rough.courses["a_.x"].rms > 5 * x.rms


def test_the_course_of_a_variable_is_numpys():
    generator = np.random.default_rng(0)
    exact, found = generator.normal(5.0, 2.0, (2, 30, 4))
    course = Course()
    for a, b in zip(exact, found, strict=True):
        course.add(a, b)
    assert course.means == pytest.approx([exact.mean(), found.mean()])
    assert course.spreads == pytest.approx([exact.std(), found.std()])
    assert course.rms == pytest.approx(np.sqrt(((exact - found) ** 2).mean()))


def test_the_summary_of_a_run_has_it_and_the_user_is_warned(tmp_path, capfd):
    path = tmp_path / "m.toml"
    path.write_text(ADEX, encoding="utf-8")
    options = Options(backend="fused", precision="fixed", overrides={"model.duration": "100 ms"})
    summary = run(path, tmp_path / "out", options).summary
    said = summary["fixed"]["against_float"]
    assert said["compared_ms"] == pytest.approx(100)
    assert set(said["states"]) == {"neuron_.vm", "neuron_.w"}
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["fixed"] == summary["fixed"]
    assert "fixed point" not in capfd.readouterr().err
    slow = ADEX.replace('"120 ms"', '"120 second"').replace('"600 pA"]', '"600 pA", 16]')
    path.write_text(slow, encoding="utf-8")
    run(path, tmp_path / "slow", options)
    assert "fixed point: 'neuron_.w' changes by at most" in capfd.readouterr().err


def test_what_has_no_units_is_not_compared(tmp_path):
    none = """
[projection.none]
from = "a"
to = "a"
equations = "dw/dt = -w/(10*ms) : 1 (clock-driven)"
on_pre = "x_post += w"
connect = { rule = "condition", p = "0" }
range = { w = ["-1", "1"] }
"""
    comparison, _ = compared(tmp_path, NOISY.replace(", BITS", "") + none)
    assert [name for name in comparison.courses if "none" in name] == []
    assert comparison.details()["states"]
