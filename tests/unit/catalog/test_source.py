"""Reading model files: `extends`, merging, and the line on which a key stands."""

from __future__ import annotations

import pytest

from neuroglia_snn.catalog.source import MAX_DEPTH, locate, read, read_document
from neuroglia_snn.errors import ModelError
from neuroglia_snn.language.equations import EquationError, split_equations

CHILD = """\
[model]
extends = "base.toml"
title = "Child"
remove = ["stimulus", "population.cell.reset"]

[parameters]
tau = "5 ms"

[population.cell]
equations = '''
a = 2*b : 1
c : 1
'''
"""


@pytest.fixture
def child(write):
    write(name="base.toml")
    return read_document(str(write(text=CHILD)))


def test_equations_merge_one_by_one(child):
    own = split_equations(child.tables["population"]["cell"]["equations"])
    assert list(own) == ["v", "a", "b", "L", "c"]
    assert own["a"] == "a = 2*b : 1" and own["v"].startswith("dv/dt = (a - v)/tau")


def test_the_nearest_file_wins_and_the_rest_is_inherited(child):
    assert child.tables["model"]["title"] == "Child" and child.tables["model"]["noise"]
    assert child.tables["parameters"]["tau"] == "5 ms"  # whole: the base's min does not stay
    assert child.tables["parameters"]["sigma2"] == {"value": "0.1", "min": "0"}
    assert not {"extends", "remove"} & set(child.tables["model"])


def test_remove(child):
    assert "stimulus" not in child.tables and "reset" not in child.tables["population"]["cell"]
    assert "record" in child.tables


def test_where_a_key_stands(child):
    base, here = child.sources[1].path, child.path
    cases = {
        ("parameters", "tau"): f"{here}:7",
        ("parameters", "sigma2"): f"{base}:10",
        ("population", "cell", "threshold"): f"{base}:21",
        ("population", "glia", "equations"): f"{base}:29",
        ("projection", "watch", "connect"): f"{base}:44",
        ("model", "duration"): f"{base}:6",
        ("population", "cell", "nothing"): f"{here}:9",
        ("nothing",): f"{here}",
    }
    assert {path: child.where(*path) for path in cases} == cases
    equations = ("population", "cell", "equations")
    lines = {"a": f"{here}:11", "c": f"{here}:12", "v": f"{base}:16", "b": f"{base}:18"}
    assert {name: child.where(*equations, needle=name) for name in lines} == lines


def test_a_chain(write):
    write(name="base.toml")
    write(text='[model]\nextends = "base.toml"\n[parameters]\ntau = "6 ms"', name="middle.toml")
    document = read_document(str(write(text='[model]\nextends = "middle.toml"')))
    assert [s.path.name for s in document.sources] == ["m.toml", "middle.toml", "base.toml"]
    assert document.tables["parameters"]["tau"] == "6 ms"


def test_a_circle_names_its_files(write):
    write(text='[model]\nextends = "m.toml"', name="other.toml")
    with pytest.raises(ModelError, match=r"m.toml -> other.toml -> m.toml"):
        read_document(str(write(text='[model]\nextends = "other.toml"')))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[model]\nextends = 3', r":2: 'extends' is a model's name or a path"),
        ('[model]\nextends = "nothing"', r":2: 'extends': no model is called 'nothing'"),
        ('[model]\nextends = "/dev/null/x.toml"', ":2: .*which is not a file"),
        ('[model]\nextends = "a\\u0000b"', ":2: .*not the name of a file"),
        ('[model]\nremove = ["x"]', r":2: 'remove' names 'x'"),
        ("a = 1\na = 2", r":\d: not valid TOML"),
        ("x = " + "[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5), ":1: 'x' is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where(text, said, write):
    with pytest.raises(ModelError, match=said):
        read_document(str(write(text=text)))


def test_a_byte_order_mark_and_foreign_line_ends(write):
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(path).line_of(("population", "cell", "threshold")) == 21


def test_split_equations():
    assert split_equations("a = 1 + # note\n 2 : 1\n\nb : volt") == {
        "a": "a = 1 + 2 : 1",
        "b": "b : volt",
    }
    with pytest.raises(EquationError, match="'a = 1' has no unit"):
        split_equations("a = 1\nb = 2 : 1")
    with pytest.raises(EquationError, match="'a' is defined twice"):
        split_equations("a : 1\nda/dt = 1 : 1")


def test_a_name_is_the_catalogue_and_a_path_is_a_path():
    assert locate("noise_induced_memory").name == "noise_induced_memory.toml"
    assert locate("x.toml").name == "x.toml" and str(locate("a/b")) == "a/b"
