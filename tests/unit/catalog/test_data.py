"""Arrays of data files: where a model file may name them, what they may be, where they go."""

from __future__ import annotations

import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends, checks, cli
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import ModelError
from neuroglia_snn.exchange import export

MODEL = """\
[model]
dt = "0.1 ms"
duration = "5 ms"
integrator = "euler"

[parameters]
tau = "10 ms"

[population.cell]
shape = [2, 3]
equations = '''
dv/dt = (2*mV - v)/tau : volt
n : integer
'''
threshold = "v > 1*mV"
reset = "v = 0*mV"

[population.cell.initial]
v = { file = "d.npz", array = "v" }
n = { file = "d.npz", array = "n" }

[projection.near]
from = "cell"
to = "cell[1:6]"
equations = "w : volt"
on_pre = "v_post += w"
connect = { rule = "pairs", file = "d.npz", i = "i", j = "j" }
delay = { pre = { file = "d.npz", array = "delay" } }

[projection.near.initial]
w = { file = "d.npz", array = "w" }

[record.spikes]
population = "cell"
events = true
"""

DATA = {
    "v": np.arange(6.0).reshape(2, 3) * 2e-4,
    "n": np.arange(6),
    "i": np.array([0, 1, 2, 3]),
    "j": np.array([1, 2, 3, 4]),
    "delay": np.array([1, 2, 3, 4]) * 1e-4,
    "w": np.array([1, 2, 3, 4]) * 2e-4,
}

#: The same model as a file alone.
LISTED = {
    '{ file = "d.npz", array = "v" }': '"i*0.2*mV"',
    '{ file = "d.npz", array = "n" }': '"i"',
    '{ file = "d.npz", array = "w" }': '"(i + 1)*0.2*mV"',
    'pre = { file = "d.npz", array = "delay" }': 'pre = "(i + 1)*0.1*ms"',
    'file = "d.npz", i = "i", j = "j"': "pairs = [[0, 1], [1, 2], [2, 3], [3, 4]]",
}


@pytest.fixture
def write(tmp_path: Path):
    def write(*edits: tuple[str, str], **arrays: object) -> Path:
        text = MODEL
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new)
        np.savez(tmp_path / "d.npz", **{**DATA, **arrays})
        (tmp_path / "m.toml").write_text(text, encoding="utf-8")
        return tmp_path / "m.toml"

    return write


def found(path: Path) -> list[str]:
    return [f.message for f in checks.check_file(str(path)) if f.severity == "error"]


@pytest.mark.parametrize(
    "backend", ["numpy", "fused", pytest.param("cpp", marks=pytest.mark.thorough)]
)
def test_a_run_is_that_of_the_same_numbers_in_the_file(write, backend):
    with_data = load(write())
    listed = load(write(*LISTED.items()))
    a, b = (backends.get(backend).run(Request(model)) for model in (with_data, listed))
    assert len(a.events["spikes"][0]) > 4
    for one, other in zip(a.events["spikes"], b.events["spikes"], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(a.final["cell"]["v"], b.final["cell"]["v"], rtol=1e-12)
    np.testing.assert_array_equal(a.final["cell"]["n"], range(6))


def test_the_digest_follows_the_numbers(write):
    first = load(write())
    assert first == load(write())
    changed = load(write(w=DATA["w"] * 2))
    assert changed.digest != first.digest and changed != first


def test_data_of_an_extended_model_are_beside_that(write, tmp_path):
    parent = write()
    folder = tmp_path / "variants"
    folder.mkdir()
    (folder / "v.toml").write_text(f'[model]\nextends = "../{parent.name}"\nduration = "2 ms"\n')
    variant = load(folder / "v.toml")
    assert variant.populations == load(parent).populations


@pytest.mark.parametrize(
    "arrays, said",
    [
        (
            {"v": np.zeros(5)},
            "the array has 5 values, and needs a value for each of the 2 x 3 units",
        ),
        (
            {"v": np.zeros((3, 2))},
            "the array has 3 x 2 values, and needs a value for each of the 2 x 3",
        ),
        ({"v": np.full(6, np.nan)}, "array 'v' is not finite at [0]"),
        ({"v": np.array(["a"] * 6)}, "array 'v' holds '<U1', not numbers"),
        ({"v": np.array([{}] * 6)}, "'d.npz' is not a file of arrays of numbers as numpy.savez"),
        ({"n": np.full(6, 0.5)}, "'n : integer' takes whole numbers from"),
        (
            {"w": np.zeros(3)},
            "the array has 3 values, and needs a value for each of the 4 connections",
        ),
        ({"i": np.arange(3)}, "arrays 'i' and 'j' have 3 and 4 indices"),
        ({"i": np.arange(4.0)}, "holds 'float64' of shape (4,), not whole numbers, one a pair"),
        ({"i": -np.arange(4)}, "array 'i' holds no indices of 0 to"),
        ({"j": np.full(4, 5)}, "[0, 5] is not a pair [source, target] within the populations"),
        ({"delay": np.full(4, -1e-3)}, "delay pre must not be negative"),
        ({"delay": np.full(4, 1e6)}, "delay pre is up to 1e+10 steps"),
    ],
)
def test_numbers_that_do_not_do(write, arrays, said):
    (message,) = found(write(**arrays))
    assert said in message


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('array = "v"', 'array = "x"', "'d.npz' has no array 'x' (it has delay, i, j, n, v, w)"),
        ('file = "d.npz", array = "v"', 'file = "../d.npz", array = "v"', "is not in the folder"),
        ('file = "d.npz", array = "v"', 'file = "/d.npz", array = "v"', "is not in the folder"),
        ('file = "d.npz", array = "v"', 'file = "e.npz", array = "v"', "is not a file beside"),
        ('file = "d.npz", array = "v"', 'file = "m.toml", array = "v"', "a data file ends in .npz"),
        ('file = "d.npz", array = "v"', 'file = "d.npz"', "'d.npz' has several: say which"),
        ('file = "d.npz", array = "v"', 'array = "v"', "is text, a number or { file ="),
        ('i = "i", j = "j"', 'i = "i"', "needs either pairs"),
        ('i = "i", j = "j"', 'i = "i", j = "j", pairs = [[0, 1]]', "needs either pairs"),
        ("dv/dt = (2*mV - v)/tau : volt\n", "v : volt (shared)\n", "'v' is shared"),
        ('rule = "pairs", file = "d.npz", i = "i", j = "j"', 'rule = "all"', "use rule 'pairs'"),
    ],
)
def test_names_that_do_not_do(write, old, new, said):
    messages = found(write((old, new)))
    assert messages and all("\n" not in m for m in messages)
    assert any(said in m for m in messages), messages


def test_nothing_is_unpickled(write, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = write()
    (tmp_path / "d.npz").write_bytes(pickle.dumps(Evil()))
    (message,) = found(path)
    assert "not a file of arrays" in message
    assert not (tmp_path / "ran").exists()


def test_what_is_no_array_in_the_file_is_none(write, tmp_path):
    path = write()
    for name in ("v", "v.npy"):
        with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
            archive.writestr(name, b"no array")
        (message,) = found(path)
        assert "not a file of arrays" in message


def test_a_link_leads_nowhere_else(write, tmp_path):
    path = write()
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "m.toml").write_text(path.read_text())
    (inner / "d.npz").symlink_to(tmp_path / "d.npz")
    (message,) = found(inner / "m.toml")
    assert "is not in the folder of the model file" in message


def test_a_copy_has_the_data_too(write, tmp_path, capsys):
    path = write()
    (tmp_path / "other").mkdir()
    copy = tmp_path / "other" / "n.toml"
    assert cli.main(["copy", str(path), str(copy)]) == 0
    assert load(copy).projections == load(path).projections
    assert cli.main(["copy", str(path), str(tmp_path / "other" / "o.toml")]) == 2
    assert "d.npz exists already" in capsys.readouterr().err
    assert not (tmp_path / "other" / "o.toml").exists()
    assert cli.main(["copy", str(path), str(tmp_path / "beside.toml")]) == 0


def test_an_exported_script_has_the_data_too(write, tmp_path):
    export(str(write()), tmp_path / "script.py")
    with np.load(tmp_path / "script.npz") as data:
        np.testing.assert_array_equal(data["initial.near.w"], DATA["w"])
        np.testing.assert_array_equal(data["delay.near.pre"], DATA["delay"])
    script = (tmp_path / "script.py").read_text()
    assert "near.w = data['initial.near.w']*volt" in script
    assert "cell.n = data['initial.cell.n'].astype(int)" in script


@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_file_costs_a_sentence(write, tmp_path, compressed):
    path = write()
    (np.savez_compressed if compressed else np.savez)(tmp_path / "d.npz", **DATA)
    whole, chance = (tmp_path / "d.npz").read_bytes(), random.Random(5)
    said = set()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 4, 30))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "d.npz").write_bytes(data[: chance.choice((len(data), len(data) // 2))])
        try:
            load(path)
        except ModelError as error:
            assert "\n" not in str(error)
            said.add(str(error).split(": ", 1)[1])
    assert len(said) > 1
