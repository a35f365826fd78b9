"""Small models that together hold every key of the format, as nested tables."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from neuroglia_snn import experiments
from neuroglia_snn.catalog.schema import CONNECT, TABLES
from neuroglia_snn.catalog.source import tomllib

Tables = dict[str, Any]
Path = tuple[str | int, ...]

#: What Brian2 runs: synapses, events, a refractory period, slices, synapses onto synapses.
WHOLE = """
[model]
title = "Whole"
description = "All that Brian2 runs."
doi = "10.1000/182"
noise = "ito"
integrator = "euler"
precision = "float64"
dt = "0.1 ms"
duration = "2 ms"
[parameters]
tau = { value = "5 ms", min = "0 ms", max = "1 second", source = "a paper", about = "membrane" }
strength = "0.5"
[table.wave]
values = ["0.1", "0.2"]
dt = "0.5 ms"
source = "a recording"
about = "a slow wave"
[population.cell]
size = 6
equations = '''
dv/dt = (wave(t) + drive - v + I)/tau + sigma*xi/sqrt(tau) : 1 (unless refractory)
sigma = 0.1*strength : 1
drive : 1
I : 1
n : integer
'''
threshold = "v > 0.4"
reset = "v = 0"
refractory = "0.2 ms"
integrator = "euler-maruyama"
dt = "0.1 ms"
regularly = [{ code = "n = n + 1", dt = "0.5 ms" }]
[population.cell.initial]
v = "0.1*i/N"
[population.cell.range]
v = ["-1", "2"]
[population.cell.events.high]
condition = "v > 0.3"
action = "n += 1"
[population.glia]
shape = [2, 3]
equations = '''
dc/dt = (s - c)/tau : 1
s : 1
'''
[projection.syn]
from = "cell[0:4]"
to = "cell"
equations = '''
w : 1
dg/dt = -g/tau : 1 (event-driven)
'''
on_pre = { pre = "v_post += w*0.01", other = "g += 0.1" }
on_post = { post = "w += 0.001*g" }
on_event = { other = "high" }
delay = { pre = "0.2 ms", post = "0.1 ms" }
dt = "0.1 ms"
integrator = "euler"
connect = { rule = "condition", condition = "i != j", p = "0.8", n = "1" }
[projection.syn.initial]
w = "0.5 + 0.1*i"
[projection.syn.range]
w = ["0", "2"]
[projection.over]
from = "cell"
to = "glia"
connect = { rule = "one-to-one" }
equations = "s_post = strength*v_pre : 1 (summed)"
[projection.plain]
from = "cell"
to = "cell"
connect = { rule = "all" }
on_pre = "n_post += 1"
on_post = "n_pre += 1"
on_event = "spike"
delay = "0.1 ms"
[stimulus.pulse]
to = "cell"
variable = "drive"
amplitude = "2*strength"
start = "0.2 ms"
duration = "0.3 ms"
period = "0.5 ms"
count = 2
[record.trace]
population = "cell"
variables = ["v", "n"]
every = "0.2 ms"
[record.mean]
population = "glia"
variables = ["c"]
reduce = "mean"
[record.thin]
population = "glia"
variables = ["c"]
stride = 2
[record.spikes]
population = "cell"
events = true
"""

#: What all our loops run.
LOOPED = """
[model]
title = "Looped"
noise = "stratonovich"
integrator = "heun"
dt = "0.1 ms"
duration = "2 ms"
[parameters]
tau = { value = "5 ms" }
strength = { value = "0.5" }
[table.wave]
values = ["0.1", "0.2"]
dt = "0.5 ms"
[population.sheet]
shape = [4, 5]
equations = '''
dx/dt = (wave(t) + drive - x + L)/tau + 0.1*x*xi/sqrt(tau) : 1
y = 2*x : 1
L : 1
drive : 1
n : integer
'''
threshold = "x > 0.3"
reset = "x = 0; n += 1"
regularly = [{ code = "n = n + 1", dt = "0.5 ms" }]
[population.sheet.initial]
x = "0.1*i/N"
[population.sheet.range]
x = ["-2", "2", 16, "stochastic"]
[population.pool]
shape = [2, 2]
integrator = "rk4"
equations = '''
dz/dt = (S - z)/tau : 1
S : 1
'''
[population.copy]
size = 4
integrator = "exponential_euler"
equations = '''
du/dt = (E - u)/tau : 1
E : 1
'''
[projection.near]
from = "sheet"
to = "sheet"
connect = { rule = "lattice", neighbours = 4, edges = "zero-flux" }
equations = "L_post = strength*(x_pre - x_post)/N_incoming : 1 (summed)"
[projection.up]
from = "sheet"
to = "pool"
connect = { rule = "footprint", size = [2, 3], step = [2, 2] }
equations = "S_post = x_pre/N_incoming : 1 (summed)"
[projection.along]
from = "pool"
to = "copy"
connect = { rule = "pairs", pairs = [[0, 1], [3, 2]] }
equations = "E_post = z_pre - u_post : 1 (summed)"
[stimulus.spot]
to = "sheet"
variable = "drive"
amplitude = "2*strength"
duration = "0.5 ms"
[record.trace]
population = "sheet"
variables = ["x"]
every = "0.2 ms"
[record.spikes]
population = "sheet"
events = true
"""

#: Tables that a kind of experiment, or a connection rule, needs beside `LOOPED`.
FIRST_FOOTPRINT = """
[projection.up]
connect = { rule = "first-footprint", size = [2, 3], step = [2, 2] }
from = "pool"
to = "sheet"
equations = "L_post = 0.1*z_pre : 1 (summed)"
[projection.near]
from = "pool"
to = "pool"
equations = "S_post = z_pre - z_post : 1 (summed)"
"""
EXPERIMENT = {
    "associative-memory": """
[population.sheet]
equations = '''
dx/dt = (drive - x + L)/tau : 1
L : 1
drive : 1
n : 1
last : second
'''
reset = "last = t; n += 1; x = 0"
[population.sheet.range]
x = ["-2", "2", 16]
[population.pool]
equations = '''
dz/dt = (S - z)/tau : 1
S : 1
'''
[stimulus.spot]
image = "train"
[stimulus.cue]
to = "sheet"
variable = "drive"
amplitude = "strength"
image = "test"
start = "1 ms"
duration = "0.2 ms"
[record.trace]
variables = ["x", "n", "last"]
every = "0.1 ms"
[record.glia]
population = "pool"
variables = ["z"]
[experiment]
kind = "associative-memory"
train = "spot"
test = "cue"
population = "sheet"
glia = "pool"
last_spike = "last"
spikes = "n"
potential = "x"
calcium = "z"
cue = "1 ms"
recall = "1.2 ms"
window = "0.5 ms"
train_noise = 0.1
test_noise = 0.4
test_pattern = "trained"
""",
    "mean-field": """
[parameters]
peak = "0.3"
[record.mean]
population = "sheet"
variables = ["x"]
reduce = "mean"
[experiment]
kind = "mean-field"
record = "mean"
variable = "x"
spike = "peak"
""",
    "self-organisation": """
[record.a]
population = "sheet"
events = true
[record.b]
population = "sheet"
events = true
[experiment]
kind = "self-organisation"
sources = "a"
stimuli = "b"
responses = "spikes"
trial = "0.5 ms"
trials = 2
""",
    "working-memory": """
[stimulus.learn_1]
to = "sheet"
variable = "drive"
amplitude = "strength"
image = "learned"
start = "0.2 ms"
duration = "0.2 ms"
[stimulus.test_1]
to = "sheet"
variable = "drive"
amplitude = "strength"
image = "cued"
start = "1 ms"
duration = "0.2 ms"
[experiment]
kind = "working-memory"
population = "sheet"
glia = "pool"
calcium = "z"
spikes = "spikes"
window = "0.5 ms"
learn_noise = 0.05
test_noise = 0.2
threshold = 2
weight = "regular"
""",
    "classifier": """
[experiment]
kind = "classifier"
population = "copy"
input = "E"
output = "u"
amplitude = "strength"
transient = "1 ms"
control = "0.4 ms"
samples = 4
base_epochs = 1
epochs = 1
""",
}
#: Whose equations no other model may have.
CANONICAL = """
[model]
extends = "fep_canonical"
[experiment]
kind = "canonical-network"
trials = 4
"""
VARIANT = """
[model]
extends = "base.toml"
remove = ["record.mean"]
"""
#: Names arrays of the file `DATA` beside it.
LISTED = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "1 ms"
[population.cell]
size = 3
equations = "dv/dt = (1 - v)/(5*ms) : 1"
threshold = "v > 0.5"
reset = "v = 0"
initial = { v = { file = "data.npz", array = "v" } }
[projection.near]
from = "cell"
to = "cell"
equations = "w : 1"
on_pre = "v_post += w"
connect = { rule = "pairs", file = "data.npz", i = "i", j = "j" }
delay = { pre = { file = "data.npz", array = "delay" } }
initial = { w = { file = "data.npz", array = "w" } }
"""
#: Synapses that units of a third population take part in.
THIRD = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "1 ms"
[parameters]
chance = "0.5"
few = "2"
[population.cell]
size = 4
equations = "dv/dt = (1.5 + s - v)/(5*ms) : 1\\ns : 1"
threshold = "v > 0.5"
reset = "v = 0"
[population.glia]
size = 8
equations = "dz/dt = -z/(20*ms) : 1"
[projection.synapse]
from = "cell[:3]"
to = "cell"
connect = { rule = "condition", condition = "i != j" }
on_pre = "v_post += 0.1"
[projection.uptake]
from = "cell[:3]"
to = "glia"
connect = { rule = "third-in", of = "synapse", p = "chance", pool_size = "few", pool_type = "block" }
on_pre = "z_post += 0.1"
[projection.release]
from = "glia"
to = "cell"
connect = { rule = "third-out", of = "uptake" }
equations = "s_post = multiplicity*z_pre : 1 (summed)"
"""

#: Inputs, connections and phases of other kinds.
SAID = """
[model]
integrator = "euler"
dt = "0.1 ms"
[parameters]
n = "3"
half = "n/1 - 1"
gain = "1"
reach = "20 um"
[table.drive]
file = "data.npz"
array = "table"
unit = "mV"
dt = "0.5 ms"
[population.cell]
size = "n"
spacing = "10 um"
equations = '''
dv/dt = (drive(t, i)/mV + I + Z + s - v)*gain/(5*ms) : 1
I : 1
Z : 1 (linked)
s : 1
'''
threshold = "v > 0.5"
reset = "v = 0"
linked = { Z = { variable = "other.z", index = "i//half" } }
[population.other]
shape = ["n - 1"]
equations = "dz/dt = (y - z)/(5*ms) : 1\\ny : 1 (linked)"
[population.other.linked]
y = { variable = "cell.v", index = "i" }
[population.source]
size = 3
rates = "100 Hz"
[population.listed]
size = 3
rates = { file = "data.npz", array = "rates", unit = "Hz" }
[population.given]
size = 3
spikes = [[0, "0.1 ms"], [2, "0.3 ms"]]
[population.trains]
size = 3
spikes = { file = "data.npz", i = "i", t = "times", unit = "ms" }
[projection.near]
from = "cell"
to = "cell"
equations = "w : 1\\ns_post = w*v_pre : 1 (summed)"
connect = { rule = "kernel", cutoff = "15 um", p = "exp(-distance/reach)", edges = "zero-flux", self = true }
initial = { w = "exp(-distance/reach)" }
[projection.some]
from = "source[:half]"
to = "cell"
on_pre = "v_post += 0.1"
connect = { rule = "generator", j = "k for k in range(i, i + 2) if k != i" }
[projection.drawn]
from = "source"
to = "cell"
on_pre = "v_post += 0.1"
connect = { rule = "generator", i = "k for k in sample(N_pre, size=1)" }
[stimulus.seen]
to = "cell"
variable = "I"
amplitude = "gain"
image = { file = "data.npz", array = "v" }
[stimulus.rain]
to = "cell"
variable = "v"
rate = "100 Hz"
weight = "0.1"
inputs = "10"
[record.some]
population = "cell"
variables = ["v"]
units = ":half"
[record.links]
projection = "near"
variables = ["w"]
units = [0, 1]
[[phase]]
name = "first"
duration = "0.5 ms"
set = { seen = true, gain = "0.5" }
[[phase]]
name = "second"
duration = "0.5 ms"
"""
#: The name of a data file, and its arrays.
DATA = "data.npz"
ARRAYS: dict[str, list[float] | list[int] | list[list[float]]] = {
    **{
        "table": [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]],
        "rates": [10.0, 20.0, 30.0],
        "times": [0.1, 0.3],
    },
    **{"v": [0.1, 0.2, 0.6], "i": [0, 1], "j": [1, 2]},
    **{"w": [0.1, 0.3], "delay": [1e-4, 2e-4]},
}


def tables(text: str) -> Tables:
    """A model file's text as tables."""
    return tomllib.loads(text)


def _with(base: str, *more: str) -> Tables:
    merged = tables(base)

    def overlay(old: Tables, new: Tables) -> None:
        for key, value in new.items():
            if isinstance(value, dict) and isinstance(old.get(key), dict) and key != "connect":
                overlay(old[key], value)
            else:
                old[key] = value

    for text in more:
        overlay(merged, tables(text))
    return merged


def models() -> dict[str, Tables]:
    """Every model by name; each passes `check`, beside the files ``base.toml`` and `DATA`."""
    lowered = tables(LOOPED)
    sheet = lowered["population"]["sheet"]
    sheet |= {"regularly": [], "reset": "x = 0"}
    sheet["equations"] = sheet["equations"].replace("wave(t) + ", "")
    lowered["projection"]["along"]["equations"] = "E_post = z_pre : 1 (summed)"
    for name in ("pool", "copy"):
        lowered["population"][name]["integrator"] = "euler"
    return {
        "whole": tables(WHOLE),
        "looped": tables(LOOPED),
        "lowered": lowered,
        "first-footprint": _with(LOOPED, FIRST_FOOTPRINT),
        "variant": tables(VARIANT),
        "listed": tables(LISTED),
        "said": tables(SAID),
        "third": tables(THIRD),
        **{kind: _with(LOOPED, text) for kind, text in EXPERIMENT.items()},
        "canonical-network": tables(CANONICAL),
    }


def keys() -> set[tuple[str, str]]:
    """(table, key) of everything that the schema lists."""
    listed = {(pattern, key) for pattern, known in TABLES.items() for key in known}
    listed |= {(f"connect {rule}", key) for rule, known in CONNECT.items() for key in known}
    return listed | {
        (f"experiment {kind}", k)
        for kind in experiments.kinds()
        for k in experiments.of_kind(kind).keys
    }


def present(model: Tables) -> set[tuple[str, str]]:
    """Those that a model holds."""
    found = set()
    for path, _ in walk(model):
        *table, key = path
        for pattern in TABLES:
            parts = pattern.split(".") if pattern else []
            if len(parts) == len(table) and all(
                p in ("*", t) for p, t in zip(parts, table, strict=True)
            ):
                found.add((pattern, str(key)))
        if path[0] == "experiment" and len(path) == 2:
            found.add((f"experiment {model['experiment']['kind']}", str(key)))
        if path[0] == "projection" and len(path) == 4 and path[2] == "connect":
            rule = model["projection"][path[1]]["connect"]["rule"]
            found.add((f"connect {rule}", str(key)))
    return found


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every key and list entry below a value, with its path."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in entries:
        yield (*path, key), child
        if isinstance(child, (dict, list)):
            yield from walk(child, (*path, key))


def changed(model: Tables, path: Path, value: Any) -> Tables:
    """The model with another value at a path."""
    model = copy.deepcopy(model)
    table: Any = model
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return model


def renamed(given: Any, old: str, new: str) -> Any:
    """Tables with another name, in the place of each key and text that is the old one."""
    if isinstance(given, dict):
        return {new if k == old else k: renamed(v, old, new) for k, v in given.items()}
    if isinstance(given, list):
        return [renamed(entry, old, new) for entry in given]
    return new if given == old else given


# -------------------------------------------------------------------------- as text


def dumps(model: Tables) -> str:
    """Tables as TOML: tables and tables of tables with headers, deeper ones inline."""
    lines: list[str] = []
    _table(model, (), lines)
    return "\n".join(lines) + "\n"


def _table(table: Tables, path: tuple[str, ...], lines: list[str]) -> None:
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) or len(path) > 1}
    if path:
        lines.append(f"[{'.'.join(map(_key, path))}]")
    lines += [f"{_key(key)} = {value(v)}" for key, v in plain.items()]
    for key, inner in table.items():
        if key not in plain:
            _table(inner, (*path, str(key)), lines)


def _key(key: object) -> str:
    text = str(key)
    bare = text and all(c.isascii() and (c.isalnum() or c in "_-") for c in text)
    return text if bare else quoted(text)


def value(given: Any) -> str:
    """A value as TOML."""
    if isinstance(given, dict):
        return "{ " + ", ".join(f"{_key(k)} = {value(v)}" for k, v in given.items()) + " }"
    if isinstance(given, list):
        return "[" + ", ".join(map(value, given)) + "]"
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, str) and "\n" in given:  # readable where it is a block of code
        lines = "\n".join(quoted(line)[1:-1] for line in given.split("\n"))
        return f'"""\n{lines}"""'
    if isinstance(given, str):
        return quoted(given)
    return repr(given)


def quoted(text: str) -> str:
    """A basic string, everything that is not plain ASCII escaped."""
    plain = {"\\": "\\\\", '"': '\\"'}
    return '"' + "".join(plain.get(c) or (c if " " <= c <= "~" else _escape(c)) for c in text) + '"'


def _escape(character: str) -> str:
    return f"\\u{ord(character):04X}" if ord(character) < 0x10000 else f"\\U{ord(character):08X}"
