"""`neuroglia map` and `neuroglia hardware` as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from neuroglia_snn.catalog import files


def neuroglia(*arguments: object, cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "neuroglia_snn", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.mark.thorough
def test_a_network_that_fits(tmp_path):
    out = tmp_path / "map"
    done = neuroglia(
        "map", "noise_induced_excitability", "--hardware", "loihi2", "--out", out, "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert summary == json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["cores"] == 1 and (out / "cores.png").stat().st_size > 1000


def test_a_network_that_does_not_fit_exits_with_3_and_its_summary_is_written(tmp_path):
    out = tmp_path / "map"
    done = neuroglia("map", "fhn_excitable", "--hardware", "loihi1", "--out", out)
    assert (done.returncode, done.stderr) == (3, "")
    assert (
        "does not fit:\n    population 'unit': the neuron model of its cores is fixed"
        in done.stdout
    )
    assert (
        "would make it fit:\n    population 'unit': a chip whose neurons are program" in done.stdout
    )
    assert "\n    another chip: it fits on 'loihi2' (1 cores)" in done.stdout
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert not summary["fits"] and summary["would_fit"]


def test_an_unknown_target_is_one_sentence():
    done = neuroglia("map", "fhn_excitable", "--hardware", "loihi7")
    assert done.returncode == 2
    assert done.stderr.startswith("neuroglia: no hardware target is called")


def test_hardware_is_listed():
    done = neuroglia("hardware", "list", "--json")
    assert json.loads(done.stdout) == {"loihi1": "Intel Loihi", "loihi2": "Intel Loihi 2"}
    assert neuroglia("hardware", "list").stdout.splitlines()[0] == "loihi1  Intel Loihi"


@pytest.mark.thorough
def test_a_hardware_file_is_copied_and_mapped_to(tmp_path):
    done = neuroglia("hardware", "copy", "loihi2", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    copied = tmp_path / "loihi2.toml"
    assert copied.read_bytes() == files.find("hardware", "loihi2").read_bytes()
    again = neuroglia("hardware", "copy", "loihi2", "--out", copied)
    assert again.returncode == 2 and "exists already" in again.stderr
    wrong = neuroglia("hardware", "copy", "loihi2", "--out", tmp_path / "mine.txt")
    assert wrong.returncode == 2 and "a hardware file ends in .toml" in wrong.stderr
    assert neuroglia("hardware", "copy", "loihi3", cwd=tmp_path).returncode == 2
    done = neuroglia("map", "fhn_excitable", "--hardware", copied, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["hardware"] == "loihi2"


def test_all_faults_of_a_users_file_are_said(tmp_path):
    path = tmp_path / "mine.toml"
    text = files.find("hardware", "loihi2").read_text(encoding="utf-8")
    text = text.replace("state_bits", "state_bit").replace(', confidence = "low"', "", 1)
    path.write_text(text, encoding="utf-8")
    done = neuroglia("map", "fhn_excitable", "--hardware", path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert any("unknown entry 'state_bit', did you mean 'state_bits'?" in line for line in lines)
    assert any("'neuron_model' needs a source and a confidence" in line for line in lines)
