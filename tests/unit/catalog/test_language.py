"""Mistakes in what a model file may say of parameters, connections, inputs and records: a sentence each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import checks
from neuroglia_snn.catalog import show
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import ModelError

MODEL = """\
[model]
dt = "0.1 ms"
duration = "5 ms"
integrator = "euler"
noise = "stratonovich"

[parameters]
n = "4"
half = "n*n/2"
tau_0 = "5 ms"
tau = { value = "2*tau_0 + 1*ms", min = "1 ms", max = "2*tau_0 + 2*ms" }

[table.drive]
values = [[1, 2, 3], [4, 5, 6]]
dt = "1 ms"

[population.cell]
shape = ["n", "n"]
spacing = "10 um"
equations = '''
dv/dt = (I - v)/tau : 1
I : 1
s : 1
'''
threshold = "v > 1"
reset = "v = 0"

[population.other]
size = 3
equations = '''
dw/dt = (drive(t, i) - w)/tau : 1
'''

[population.source]
size = 3
rates = "10 Hz"

[population.given]
size = 2
spikes = [[0, "1 ms"], [1, "1 ms"]]

[stimulus.background]
to = "other"
variable = "w"
rate = "10 Hz"
weight = "0.1"
inputs = 100

[projection.near]
from = "cell"
to = "cell"
connect = { rule = "kernel", cutoff = "21 um", edges = "periodic" }
equations = '''
g : 1
s_post = g*v_pre : 1 (summed)
'''
initial = { g = "exp(-distance/(10*um))" }

[projection.some]
from = "cell[:half]"
to = "cell[half:]"
connect = { rule = "generator", j = "k for k in range(i, i + 3) if k != i" }
on_pre = "v_post += 0.1"

[record.few]
population = "cell"
variables = ["v"]
units = "half::2"

[record.links]
projection = "near"
variables = ["g"]
units = [0, 5]
"""


def errors(path: Path) -> list[str]:
    return [f.message for f in checks.check_file(path) if f.severity == "error"]


def written(folder: Path, *edits: tuple[str, str]) -> Path:
    text = MODEL
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "m.toml").write_text(text, encoding="utf-8")
    return folder / "m.toml"


def test_the_whole_is_right(tmp_path):
    model = load(written(tmp_path))
    assert not errors(written(tmp_path))
    assert model.populations["cell"].shape == (4, 4)
    assert (model.projections["some"].source.stop, model.projections["some"].target.start) == (8, 8)
    assert model.parameters["tau"].value.si == pytest.approx(0.011)
    assert model.records["few"].units == (8, 10, 12, 14)
    text = show.describe(model)
    for line in (
        "population cell: 4 x 4, sites 10*um apart, euler",
        "projection near: cell -> cell, kernel (cutoff 21*um, edges periodic)",
        "generator (j k for k in range(i, i + 3) if k != i)",
        "stimulus background: w += 0.1*poisson(100*(10*Hz)*dt)",
        "tau   = 2*tau_0 + 1*ms = 0.011 second",
        "record few: v of cell, of 8, 10, 12, 14, every 0.1 ms",
    ):
        assert line in text, text


def test_what_follows_from_parameters_follows_a_setting(tmp_path):
    model = load(written(tmp_path), {"n": "6", "tau_0": "1 ms"})
    assert model.populations["cell"].size == 36
    assert model.projections["some"].source.stop == 18
    assert model.parameters["tau"].value.si == pytest.approx(0.003)
    with pytest.raises(ModelError, match=r"'from' = half is 4\.5, not a whole number"):
        load(written(tmp_path), {"n": "3"})


@pytest.mark.parametrize(
    "old, new, said",
    [
        # parameters
        (
            'tau_0 = "5 ms"',
            'tau_0 = "tau/2"',
            "parameters define each other: tau_0 -> tau -> tau_0",
        ),
        ("2*tau_0 + 1*ms", "2*tau_0 + n", "inconsistent units"),
        (
            "2*tau_0 + 1*ms",
            "2*tau_1 + 1*ms",
            "unknown symbol 'tau_1' in parameter 'tau', did you mean",
        ),
        ("2*tau_0 + 1*ms", "2*tau_0 + t", "unknown symbol 't' in parameter 'tau'"),
        ("2*tau_0 + 1*ms", "2*tau_0*rand()", "unknown symbol 'rand' in parameter 'tau'"),
        ("2*tau_0 + 1*ms", "2*tau_0/(n - 4)", "has no finite real value (n = 4"),
        ("2*tau_0 + 1*ms", "3*tau_0", "'tau' = 3*tau_0 is above its maximum 2*tau_0 + 2*ms"),
        ("2*tau_0 + 1*ms", "__import__('os')", "is not a number with units"),
        ('["n", "n"]', '["n", "tau"]', "'shape' = tau is 0.011 second, not a whole number"),
        ('["n", "n"]', '["n", "n - 4"]', "'shape' is [rows, columns], or [planes, rows, columns]"),
        ('["n", "n"]', "[2, 2, 2, 2]", "'shape' is [rows, columns], or [planes, rows, columns]"),
        (
            "cell[half:]",
            "cell[half:17]",
            "'cell[half:17]' is not a part of population 'cell' (16 units)",
        ),
        ("cell[half:]", "cell[half:half]", "is not a part of population 'cell'"),
        # tables
        ("values = [[1, 2, 3]", "values = [[1, 2]", "the rows of table 'drive' differ in length"),
        (
            "values = [[1, 2, 3], [4, 5, 6]]",
            "values = [[1, 2], [4, 5]]",
            "'drive(t, i)' reads columns 0 to 1, and 'i' is 0 to 2",
        ),
        ("drive(t, i)", "drive(t, i % 3)", None),
        ("drive(t, i)", "drive(t, (i + 1) % 4)", "columns 0 to 2, and '(i + 1)%4' is 0 to 3"),
        ("drive(t, i)", "drive(t, 0.5*i)", "reads a column, which has a whole number such as i"),
        ("drive(t, i)", "drive(t)", "drive"),
        (
            "values = [[1, 2, 3]",
            "file = 'x.npy'\nvalues = [[1, 2, 3]",
            "needs values = [...] or a file",
        ),
        (
            "values = [[1, 2, 3]",
            "unit = 'mV'\nvalues = [[1, 2, 3]",
            "'unit' of table 'drive' is that of a file: write '1 mV' as a value",
        ),
        ("values = [[1, 2, 3]", "array = 'a'\nvalues = [[1, 2, 3]", "'array' of table 'drive'"),
        # populations of inputs
        ('rates = "10 Hz"', 'rates = "10 mV"', "inconsistent units in rates: 'volt' found"),
        (
            'rates = "10 Hz"',
            'rates = "10 Hz"\nthreshold = "True"',
            "'rates' or a 'threshold', not both",
        ),
        ('[1, "1 ms"]', '[2, "1 ms"]', "spike of unit 2: 'given' has the units 0 to 1"),
        ('[1, "1 ms"]', '[1, "-1 ms"]', "a spike at -1 ms: times are from 0 on"),
        ('[1, "1 ms"]', '[0, "1.04 ms"]', "unit 0 has several spikes in the step at 1 ms"),
        ('[1, "1 ms"]', '[1, "1 mV"]', "must be in 'second'"),
        ('[1, "1 ms"]', '["1", "1 ms"]', "'spikes' is [[unit, time], ...]"),
        (
            "size = 2\n",
            "size = 2\nequations = 'x : 1'\n",
            "whose 'spikes' are given has no 'equations'",
        ),
        (
            'from = "cell[:half]"',
            'from = "given[0:1]"',
            "a population whose spikes are given has no parts",
        ),
        # Poisson input
        ('weight = "0.1"', 'weight = "0.1 mV"', "inconsistent units in stimulus 'background'"),
        ('rate = "10 Hz"', 'rate = "10 mV"', "stimulus 'background' ('w +='): inconsistent units"),
        ('variable = "w"', 'variable = "ww"', "'ww', which is not a variable, did you mean 'w'?"),
        (
            'rate = "10 Hz"\n',
            'rate = "10 Hz"\nstart = "1 ms"\n',
            "has a rate, and takes no 'start'",
        ),
        ('weight = "0.1"\n', "", "stimulus 'background' has no 'weight'"),
        ('rate = "10 Hz"\n', "", "has no 'amplitude'"),
        (
            'rates = "10 Hz"',
            'rates = "-10 Hz"',
            "rates = '-10 Hz': a rate is from 0 on, not -10 Hz",
        ),
        ('rates = "10 Hz"', 'rates = "(1 - i)*Hz"', "a rate is from 0 on, not -1 Hz"),
        (
            'rates = "10 Hz"',
            'rates = "20 kHz"',
            "20000 Hz is more than a spike in each step of 0.1 ms",
        ),
        (
            'rates = "10 Hz"',
            'rates = { values = [10, -5, 20], unit = "Hz" }',
            "rates: a rate is from 0 on, not -5 Hz",
        ),
        (
            'rates = "10 Hz"',
            'rates = { values = [10, 20], unit = "Hz" }',
            "rates: the array has 2 values, and needs a value for each of the 3 units",
        ),
        ('rates = "10 Hz"', 'rates = ""', "rates: '' is not an expression"),
        ('rates = "10 Hz"', 'rates = "10*Hz*cos(t/ms)"', None),
        ('rate = "10 Hz"', 'rate = "-10 Hz"', "rate = '-10 Hz': a rate is from 0 on, not -10 Hz"),
        ('rate = "10 Hz"', 'rate = "20 kHz"', None),
        ('rate = "10 Hz"', 'rate = "1e12 Hz"', "gives 1e+10 events in a step of 0.1 ms, and up to"),
        (
            "inputs = 100",
            "inputs = 0",
            "'inputs' is a whole number of spike trains, from 1 on, not 0",
        ),
        ("inputs = 100", 'inputs = "2.5"', "a whole number of spike trains, from 1 on, not 2.5"),
        # kernels
        ('cutoff = "21 um", ', "", "rule 'kernel' needs a cutoff"),
        ('cutoff = "21 um"', 'cutoff = "2"', "'cutoff' = 2 is not a distance in 'meter'"),
        ('cutoff = "21 um"', "reach = 2", "unknown key 'reach' in rule 'kernel'"),
        ('"periodic" }', '"open" }', "'edges' is zero-flux or periodic, not 'open'"),
        (
            'to = "cell"',
            'to = "other"',
            "two whole populations whose shapes have as many dimensions",
        ),
        ("g : 1\n", "distance : 1\n", "gives connections the variable 'distance': rename this one"),
        ("exp(-distance/(10*um))", "exp(-distance)", "initial g"),
        ('spacing = "10 um"', 'spacing = "-10 um"', "'spacing' is more than 0"),
        ('21 um", ', '21 um", p = "2*exp(-distance/um)*um", ', "inconsistent units in connect p"),
        (
            '"exp(-distance/(10*um))"',
            '{ file = "x.npy" }',
            "which rule 'kernel' does not give: use rule 'pairs'",
        ),
        (
            'cutoff = "21 um"',
            'cutoff = "21 um", self = 1',
            "'self' in rule 'kernel' must be true or false",
        ),
        # generators
        (
            'j = "k for k in range(i, i + 3) if k != i"',
            'j = "k for k in range(3)", i = "k for k in range(3)"',
            "chooses targets of each source (j = ...) or sources of each target (i = ...), not both",
        ),
        (
            'j = "k for k in range(i, i + 3) if k != i"',
            'i = "k for k in range(i, 3)"',
            "connect low names 'i' of the source, which it is to choose",
        ),
        (
            'j = "k for k in range(i, i + 3) if k != i"',
            'i = "k for k in range(j, 3)"',
            "connect low of i = ... names 'j', which Brian2 takes in no range",
        ),
        (
            "k for k in range(i, i + 3) if k != i",
            "k for k in __import__('os')",
            "is not 'ELEMENT for NAME",
        ),
        (
            "k for k in range(i, i + 3) if k != i",
            "[k for k in range(3)]",
            "is not 'ELEMENT for NAME",
        ),
        ("k for k in range(i, i + 3)", "k for k in sample(N_post)", "is not 'ELEMENT for NAME"),
        (
            "k for k in range(i, i + 3)",
            "k for k in sample(N_post, p=2)",
            "a probability from 0 to 1",
        ),
        ("k for k in range(i, i + 3)", "k for k in range(j, 3)", "names 'j' of the target"),
        ("k for k in range(i, i + 3)", "0.5*k for k in range(3)", "an integer takes whole numbers"),
        (
            "k for k in range(i, i + 3) if k != i",
            "n for n in range(3)",
            "'n' means something already",
        ),
        ("range(i, i + 3)", "range(i, i + 3, 0)", "a step is other than 0, and '0' may be 0"),
        ("range(i, i + 3)", "range(i, i + 3, i)", "a step is other than 0, and 'i' may be 0"),
        ("range(i, i + 3)", "range(i, i + 3, i + 1)", None),
        ("range(i, i + 3)", "sample(8, size=9)", "size = 9 numbers cannot be drawn of 8"),
        ("range(i, i + 3)", "sample(i, 8, size=2)", "size = 2 numbers cannot be drawn of 1"),
        ("range(i, i + 3)", "sample(8, size=-1)", "a size is from 0 on, not -1"),
        ("range(i, i + 3)", "range(10**9)", None),
        (
            "k for k in range(i, i + 3)",
            "k // 2 for k in range(10**9)",
            "a unit's range has 1e+09 numbers, and up to 1e+08 are gone through: bound it",
        ),
        # what follows from distances
        (
            '"21 um", ',
            '"21 um", p = "1/(distance/um - 10)", ',
            "a probability from 0 to 1, and '1/(distance/um - 10)' is inf from unit 0 to unit 1",
        ),
        (
            '"21 um", ',
            '"21 um", p = "-distance/um", ',
            "'-distance/um' is -10 from unit 0 to unit 1",
        ),
        ('"21 um", ', '"21 um", p = "exp(-distance/um)", ', None),
        (
            '"21 um", ',
            '"21 um", p = "-distance", ',
            "inconsistent units in connect p: 'meter' found",
        ),
        (
            '"exp(-distance/(10*um))"',
            '"log(-distance/um)"',
            "initial g of 'near' is not finite: 'log(-distance/um)' is nan from unit 0 to unit 1",
        ),
        ('"exp(-distance/(10*um))"', '"1/(distance/um - 30)"', None),  # beyond the cutoff
        (
            "'''\nthreshold",
            "'''\ninitial = { v = 'log(i - 1.0)' }\nthreshold",
            "initial v of 'cell' is not finite: 'log(i - 1.0)' is nan for unit 0",
        ),
        # records
        ('units = "half::2"', "units = [16]", "names 16, and 'cell' has the units 0 to 15"),
        ('units = "half::2"', "units = [1, 1]", "'units' of record 'few' names one twice"),
        ('units = "half::2"', 'units = "16:"', "'units' of record 'few' has none"),
        ('units = "half::2"', 'units = "7"', "a list of units, or a slice '0:10', not '7'"),
        ('units = "half::2"', "units = [1]\nstride = 2", "'stride' means nothing in record 'few'"),
        (
            'projection = "near"',
            'projection = "neer"',
            "needs 'projection', one of near, some, did you mean",
        ),
        ('projection = "near"', 'projection = "near"\npopulation = "cell"', "not of both"),
        (
            'variables = ["g"]',
            'variables = ["s_post"]',
            "a sum, which is the target's: record it there",
        ),
        ('variables = ["g"]', 'variables = ["gg"]', "'gg', which 'near' does not have"),
        (
            "units = [0, 5]",
            "units = [0, 160]",
            "names synapse 160, and 'near' has the synapses 0 to 159",
        ),
        ("units = [0, 5]", "units = [0, 159]", None),
        # links
        (
            "'''\n\n[population.source]",
            "z : 1 (linked)\n'''\nlinked = { z = { variable = 'call.v', index = 'i//2' } }\n[population.source]",
            "'linked.z' names 'call', which is not a population, did you mean 'cell'?",
        ),
        (
            "'''\n\n[population.source]",
            "z : 1 (linked)\n'''\nlinked = { z = { variable = 'cell.vv', index = 'i//2' } }\n[population.source]",
            "'cell.vv' is no variable with values of its own, did you mean 'v'?",
        ),
        (
            "'''\n\n[population.source]",
            "z : 1 (linked)\n'''\nlinked = { z = { variable = 'cell.I', index = 'i//2' } }\n"
            "[stimulus.A]\nto = 'cell'\nvariable = 'I'\namplitude = 1\nduration = '1 ms'\n[population.source]",
            "'cell.I' is the input of a stimulus, and has no values to link to: give 'other' a stimulus",
        ),
        # lattices
        (
            'rule = "kernel", cutoff = "21 um", edges = "periodic"',
            'rule = "lattice", neighbours = 6',
            "'neighbours' is 4 or 8 on a lattice of two dimensions",
        ),
        (
            'rule = "kernel", cutoff = "21 um", edges = "periodic"',
            'rule = "lattice", edges = "round"',
            "'edges' is zero-flux or periodic, not 'round'",
        ),
        # milstein
        ('"euler"\nnoise', '"milstein"\nnoise', None),
        ("(I - v)/tau :", "(I - v)/tau + xi_1/ms**0.5 :", "integrator 'euler' does not converge"),
    ],
)
def test_a_mistake_is_a_sentence(tmp_path, old, new, said):
    edits = [(old, new)]
    np.save(tmp_path / "x.npy", np.ones(3))
    if "lattice" in new:
        edits.append(("exp(-distance/(10*um))", "1"))
    found = errors(written(tmp_path, *edits))
    if said is None:
        assert not found
    else:
        assert len(found) == 1 and said in found[0] and "\n" not in found[0], found


@pytest.mark.parametrize(
    "rates, said",
    [
        (("xi_1/ms**0.5 + xi_2/ms**0.5", "v*xi/ms**0.5"), "'milstein' takes one noise in a rate"),
        (("I*xi_1/ms**0.5", "v*xi_2/ms**0.5"), "depends on 'v', which has noise itself"),
        (("v*xi_1/ms**0.5", "w2*xi_2/ms**0.5"), None),
    ],
)
def test_what_milstein_takes(tmp_path, rates, said):
    lines = f"dv/dt = (I - v)/tau + {rates[0]} : 1\ndw2/dt = -w2/tau + {rates[1]} : 1"
    edits = [
        ("dv/dt = (I - v)/tau : 1", lines),
        ('integrator = "euler"', 'integrator = "milstein"'),
    ]
    found = errors(written(tmp_path, *edits))
    assert (not found) if said is None else (len(found) == 1 and said in found[0]), found


@pytest.mark.parametrize(
    "shape, neighbours, said",
    [
        ("[5]", 4, "'neighbours' is 2 on a lattice of one dimension"),
        ("[4, 4, 4]", 8, "'neighbours' is 6 or 18 or 26 on a lattice of three dimensions"),
        ("[4, 2, 4]", 6, "a lattice has 3 sites at least along each axis, not 2"),
        ("[4, 3, 4]", 6, None),
    ],
)
def test_lattices_of_other_dimensions(tmp_path, shape, neighbours, said):
    rule = f'rule = "lattice", neighbours = {neighbours}, edges = "periodic"'
    edits = [
        ('shape = ["n", "n"]', f"shape = {shape}"),
        ('rule = "kernel", cutoff = "21 um", edges = "periodic"', rule),
        ("exp(-distance/(10*um))", "1"),
        ('half = "n*n/2"', 'half = "3"'),
    ]
    found = errors(written(tmp_path, *edits))
    assert (not found) if said is None else (len(found) == 1 and said in found[0]), found


TABLE = "id,weight (nS)\n0,1.5\n1,2.5\n2,0.5\n"


@pytest.mark.parametrize(
    "text, given, said",
    [
        (TABLE, 'array = "weight (nS)", unit = "nS"', None),
        (TABLE, 'array = "weight"', "has no column 'weight' (it has id, weight (nS))"),
        (TABLE, 'array = "weight (nS)", unit = "mV"', "inconsistent units in initial g"),
        (TABLE, 'array = "weight (nS)", unit = "furlong"', "unit: "),
        (TABLE, "", "the array has 3 x 2 values, and needs a value for each of the 3 units"),
        (
            "1,2\n3,4\n5,6\n",
            "",
            "has a first line of numbers, and needs one with the names of columns",
        ),
        ("a,b,a\n1,2,3\n", 'array = "a"', "has two columns of the name 'a'"),
        ("a\n1\n2\nx\n", 'array = "a"', "is not a table of numbers"),
        ("a,b\n1,2\n2\n", 'array = "a"', "is not a table of numbers"),
        ("", 'array = "a"', "is not a table of numbers"),
        ("a\n1\n2\nnan\n", 'array = "a"', "array 'a' is not finite at [2]"),
    ],
)
def test_a_csv_file(tmp_path, text, given, said):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    given = f'{{ file = "t.csv"{", " if given else ""}{given} }}'
    edits = [
        (
            "'''\n\n[population.source]",
            f"g : siemens\n'''\ninitial = {{ g = {given} }}\n\n[population.source]",
        )
    ]
    path = written(tmp_path, *edits)
    found = errors(path)
    if said is None:
        assert not found
        values = load(path).populations["other"].initial["g"]
        np.testing.assert_allclose(np.asarray(values), [1.5e-9, 2.5e-9, 0.5e-9])
    else:
        assert len(found) == 1 and said in found[0], found


def test_an_npy_file(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(16.0).reshape(4, 4))
    edit = ("'''\nthreshold", "'''\ninitial = { v = { file = \"t.npy\" } }\nthreshold")
    assert load(written(tmp_path, edit)).populations["cell"].initial["v"].numbers[1, 2] == 6
    np.save(tmp_path / "t.npy", np.array([{}]), allow_pickle=True)
    (said,) = errors(written(tmp_path, edit))
    assert "'t.npy' is not an array of numbers as numpy.save writes it" in said


SYNAPSES = "pre,post,weight,delay\n0,1,1.5,0.1\n3,2,2.5,0.2\n2,2,0.5,0.3\n"


def test_connections_of_a_csv_file(tmp_path):
    (tmp_path / "s.csv").write_text(SYNAPSES, encoding="utf-8")
    model = """
[projection.listed]
from = "cell"
to = "other"
equations = "g : siemens"
on_pre = "w_post += g/nS"
connect = { rule = "pairs", file = "s.csv", i = "pre", j = "post" }
initial = { g = { file = "s.csv", array = "weight", unit = "nS" } }
delay = { pre = { file = "s.csv", array = "delay", unit = "ms" } }
"""
    path = written(tmp_path, ("[projection.near]", f"{model}\n[projection.near]"))
    assert not errors(path)
    listed = load(path).projections["listed"]
    assert np.asarray(listed.connect["pairs"]).tolist() == [[0, 1], [3, 2], [2, 2]]
    np.testing.assert_allclose(np.asarray(listed.initial["g"]), [1.5e-9, 2.5e-9, 0.5e-9])
    np.testing.assert_allclose(np.asarray(listed.delay["pre"]), [1e-4, 2e-4, 3e-4])
    digest = load(path).digest
    (tmp_path / "s.csv").write_text(SYNAPSES.replace("2.5", "2.6"), encoding="utf-8")
    assert load(path).digest != digest
    (tmp_path / "s.csv").write_text(SYNAPSES.replace("3,2", "3.5,2"), encoding="utf-8")
    (said,) = errors(path)
    assert "array 'pre' holds 'float64' of shape (3,), not whole numbers, one a pair" in said


@pytest.mark.parametrize(
    "value, said",
    [
        ("-4", "--set n=-4: 'shape' is [rows, columns], or [planes, rows, columns], of positive"),
        ("3", "--set n=3: 'from' = half is 4.5, not a whole number"),
    ],
)
def test_what_follows_from_a_setting_stands_there(tmp_path, value, said):
    with pytest.raises(ModelError) as error:
        load(written(tmp_path), {"n": value})
    assert str(error.value).startswith(said)


def test_a_long_chain_of_parameters_is_told_with_its_line(tmp_path):
    chain = "".join(f'p{k} = "p{k + 1} + 1"\n' for k in range(1500)) + 'p1500 = "1"\n'
    path = written(tmp_path, ("[parameters]\n", f"[parameters]\n{chain}"))
    (found,) = checks.check_file(path)
    line = path.read_text().splitlines()[int(found.where.rpartition(":")[2]) - 1]
    assert line.startswith("p101 =") and "'p101' ends a chain of over 100" in found.message


@pytest.mark.parametrize(
    "index, said",
    [
        ("[3, 0, 3]", None),
        ("{ file = 'x.npz', array = 'i' }", None),
        ("[3, 0]", "'index' has a whole number from 0 to 15 for each of the 3 units"),
        ("[3, 0, 16]", "'index' has a whole number from 0 to 15 for each of the 3 units"),
        ("{ file = 'x.npz' }", "'index' is "),
        ("{ file = 'x.npz', array = 'j' }", "has no array 'j'"),
    ],
)
def test_indices_of_a_link(tmp_path, index, said):
    np.savez(tmp_path / "x.npz", i=[3, 0, 3])
    link = f"z : 1 (linked)\n'''\nlinked = {{ z = {{ variable = 'cell.v', index = {index} }} }}\n"
    path = written(tmp_path, ("'''\n\n[population.source]", f"{link}[population.source]"))
    found = errors(path)
    if said is None:
        assert not found
        assert load(path).populations["other"].linked["z"].units == (3, 0, 3)
    else:
        assert len(found) == 1 and said in found[0], found
