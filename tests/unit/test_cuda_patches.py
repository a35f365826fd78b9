"""What is mended in brian2cuda's text: each fault is still there, and gone once it is mended."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from neuroglia_snn import backends, toolchain
from neuroglia_snn.backends import cuda, toolkit
from neuroglia_snn.backends.base import Request, blank_images
from neuroglia_snn.backends.brian import project, standalone
from neuroglia_snn.backends.cuda import patches, units
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError

#: A delay of one value on clocks of their own, and a reset that reads a parameter twice.
BOTH = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "1 ms"
[parameters]
low = "0.5"
[population.a]
size = 4
equations = "dv/dt = (2 - v)/(10*ms) : 1"
threshold = "v > 1"
reset = "v = low + exp(low)*exp(v)"
[projection.p]
from = "a"
to = "a"
delay = "0.5 ms"
connect = { rule = "all" }
on_pre = "v_post += 0.1"
"""
by_name = pytest.mark.parametrize("patch", patches.PATCHES, ids=lambda patch: patch.name)


@pytest.fixture(scope="module")
def unmended(tmp_path_factory):
    """A project as the brian2cuda that is installed writes it, and the files that each patch concerns."""
    pytest.importorskip("brian2cuda", reason="needs the extra 'cuda'")
    folder = tmp_path_factory.mktemp("unmended")
    (folder / "both.toml").write_text(BOTH)
    model = load(str(folder / "both.toml"))
    code, tools = folder / "code", toolkit.find(toolkit.BRIAN2CUDA)
    with cuda.device(tools, "sm_80", cuda._FLAGS):
        standalone.generate(Request(model, blank_images(model)), code, cuda._SEED, cuda._implement)
        files = {p.name: sorted(patches.concerned(p, code)) for p in patches.PATCHES}
    return code, files


@by_name
def test_every_patch_is_still_needed_and_takes_the_fault_away(unmended, patch):
    texts = [file.read_text() for file in unmended[1][patch.name]]
    mended = [patch.mend(text) for text in texts]
    assert None not in mended
    assert mended != texts, (
        f"patch '{patch.name}' is no longer needed: brian2cuda {version('brian2cuda')} has"
        f" mended what it was for ({patch.reference})"
    )
    assert [m for m in mended if GONE[patch.name].search(m)] == []
    assert [t for t in texts if GONE[patch.name].search(t)] != []


#: What tells a fault in a text, by itself.
GONE = {
    "standard": re.compile(r"std=c\+\+11"),
    "letters": re.compile("tolower"),
    "clock": re.compile(r"\bdefaultclock\.timestep"),
    "scope": re.compile(r"_idx = neuron_id;\s*[^\s{]"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clock", "scope"])
def test_a_compiler_takes_what_is_mended_alone(unmended, tmp_path, name):
    code, files = unmended
    (patch,) = (p for p in patches.PATCHES if p.name == name)
    (file,) = files[name]
    tools = toolkit.find(toolkit.BRIAN2CUDA)
    command = [str(tools.nvcc), "-ccbin", toolchain.compiler() or "g++", "-I.", "-std=c++17"]
    command += ["-arch=sm_80", "-w", "-O1", "-dc", "-o", str(tmp_path / "x.o")]
    faulty = file.read_text()
    said = []
    for text in (faulty, patch.mend(faulty)):
        trial = file.with_name("trial.cu")
        trial.write_text(text)
        done = subprocess.run(
            [*command, str(trial.relative_to(code))], cwd=code, capture_output=True, text=True
        )
        said.append((done.returncode == 0, done.stdout + done.stderr))
        trial.unlink()
    assert not said[0][0] and "error" in said[0][1], f"patch '{name}' is no longer needed"
    assert said[1][0], said[1][1]


def test_text_that_no_patch_knows_is_refused_in_a_sentence(unmended, tmp_path):
    (tmp_path / "makefile").write_text("NVCCFLAGS = -std=c++20\n")
    expected = (
        f"^brian2cuda {version('brian2cuda')} does not write makefile as 1.0a7 and 1.0b1 do,"
        r" which are known \(patch 'standard'\)$"
    )
    with pytest.raises(BackendError, match=expected):
        patches.apply(tmp_path)


@by_name
def test_every_patch_says_where_its_fault_is_known(patch):
    known = "https://github.com/brian-team/" in patch.reference or "not reported" in patch.reference
    assert known and "templates/" in patch.reference and patch.fault.endswith(".")


def test_a_project_compiles_in_few_units(unmended):
    """As many namespaces as files; a part after the whole, whose kernels it starts."""
    code, _ = unmended
    text = (code / "makefile").read_text()
    try:
        units.together(code)
        (sources,) = re.findall("^SRCS = (.*)$", (code / "makefile").read_text(), re.M)
    finally:
        (code / "makefile").write_text(text)
    assert sources.split() == ["objects.cu", "unit_frame.cu", "unit_0.cu"]
    unit = (code / "unit_0.cu").read_text()
    files = re.findall(
        r'^namespace (neuroglia_\d+) \{\n(?:using .*\n)*#include "(.*)"$', unit, re.M
    )
    original = re.findall("^SRCS = (.*)$", text, re.M)[0].split()
    assert sorted(f for _, f in files) == sorted(f for f in original if "code_objects" in f)
    assert len({space for space, _ in files}) == len(files)
    assert re.search(r"using neuroglia_\d+::_reset_a_\w+;\n#include .*/after_run_a", unit)
    assert re.search(r"^void _run_a_\w+\(\) \{ neuroglia_\d+::_run_a_\w+\(\); \}$", unit, re.M)


def test_a_code_object_stays_with_its_parts(monkeypatch):
    monkeypatch.setattr(units, "MOST", 2)
    files = ["b", "after_run_b", "a", "c", "before_run_c"]
    shared = list(units._shared_out([f"code_objects/{f}.cu" for f in files]))
    assert [[Path(f).stem for f in unit] for unit in shared] == [
        ["a", "b", "after_run_b"],
        ["c", "before_run_c"],
    ]


GENERATE = """
import sys
from pathlib import Path
from neuroglia_snn import backends
from neuroglia_snn.backends.base import Request, blank_images
from neuroglia_snn.backends.brian import project
from neuroglia_snn.catalog.load import load
project.make = lambda *_: None
model = load("tripartite_coba")
folder = Path(sys.argv[1])
backends.BUILDERS["cuda"]().build(Request(model, blank_images(model)), folder, "sm_80")
print(project._digest(folder, ""))
"""


def test_every_process_finds_the_builds_of_others(tmp_path):
    """Sets have another order in each process; the same text is compiled once."""
    pytest.importorskip("brian2cuda", reason="needs the extra 'cuda'")
    said = [
        subprocess.run(
            [sys.executable, "-c", GENERATE, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0].strip() and said[0] == said[1]


def test_the_backend_applies_them(tmp_path, monkeypatch):
    pytest.importorskip("brian2cuda", reason="needs the extra 'cuda'")
    monkeypatch.setattr(project, "make", lambda *_, **__: None)
    (tmp_path / "both.toml").write_text(BOTH)
    model = load(str(tmp_path / "both.toml"))
    code = tmp_path / "code"
    backends.BUILDERS["cuda"]().build(Request(model, blank_images(model)), code, "sm_80")
    written = "".join(f.read_text() for f in (*code.rglob("*.cu"), code / "makefile"))
    assert [name for name, fault in GONE.items() if fault.search(written)] == []
    assert "unit_0.cu" in (code / "makefile").read_text()
