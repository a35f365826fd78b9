"""The command line as a user runs it: a process, its files, its exit status."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from neuroglia_snn.images import write_png
from neuroglia_snn.papers.noise_memory.patterns import render_digit_one

QUICK = ["--backend", "numpy", "--quiet", "--set", "model.duration=1 ms"]
#: A memory experiment of 20 ms on a small lattice.
SMALL_MEMORY = [
    f"--set={s}"
    for s in (
        "population.neuron.shape=[13, 13]",
        "population.astrocyte.shape=[4, 4]",
        "model.duration=21 ms",
        "model.dt=0.003 ms",
        "stimulus.train.count=1",
        "stimulus.test.start=10 ms",
        "experiment.cue=10 ms",
        "experiment.recall=15 ms",
        "experiment.window=10 ms",
        "record.frames.every=5 ms",
        "record.calcium.every=5 ms",
    )
]


def neuroglia(*arguments: object, cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "neuroglia_snn", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess, *words: str) -> None:
    """Exit status 2, one sentence on stderr, nothing on stdout."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not done.stdout
    for word in words:
        assert word in done.stderr


def test_list_names_every_shipped_model():
    done = neuroglia("list", "--json")
    assert {
        "noise_induced_memory",
        "noise_induced_memory_tonic",
        "noise_induced_excitability",
        "tripartite_coba",
    } <= set(json.loads(done.stdout))


def test_show_tells_equations_and_sources():
    done = neuroglia("show", "noise_induced_memory")
    for text in ("dU/dt = ", "Table I", "130 x 130", "stratonovich", "lattice"):
        assert text in done.stdout


@pytest.mark.thorough
def test_check_says_where_a_good_model_runs_and_where_not():
    done = neuroglia("check", "tripartite_coba")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tripartite_coba: ok\n  runs on fused, cpp, numpy")
    refused = [line.strip() for line in done.stdout.splitlines() if line.startswith("  not on ")]
    if importlib.util.find_spec("brian2cuda") is None:
        missing = "brian2cuda is not installed: pip install 'neuroglia_snn[cuda]'"
        assert f"not on cuda: {missing}" in refused
    notes = json.loads(neuroglia("check", "tripartite_coba", "--json").stdout)
    assert {"note"} >= {note["severity"] for note in notes}
    assert refused == [note["message"] for note in notes if "not on" in note["message"]]


def test_diff_names_the_one_equation_that_differs():
    done = neuroglia("diff", "noise_induced_memory", "noise_induced_memory_tonic")
    changed = [line for line in done.stdout.splitlines() if ".equations." in line]
    assert len(changed) == 2
    assert "n_delayed" in changed[0] and "n_delayed" not in changed[1]


@pytest.mark.thorough
def test_copy_edit_run_the_ten_line_variant(tmp_path):
    """Copy, change one equation, check, run."""
    file = tmp_path / "mine.toml"
    assert neuroglia("copy", "noise_induced_excitability", file).returncode == 0
    assert_refused(neuroglia("copy", "noise_induced_excitability", file), "exists already")
    file.write_text(file.read_text() + "\n[population.neuron.initial]\nU = '1.0'\n")
    assert neuroglia("check", file).returncode == 0
    done = neuroglia("run", file, *QUICK, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    data = xr.open_dataset(tmp_path / "out" / "data.nc")
    assert float(data.mean_field_U[0, 0]) == pytest.approx(1.0)


def test_fast_mathematics_is_refused_where_nvcc_compiles_nothing(tmp_path):
    out = tmp_path / "out"
    done = neuroglia("run", "noise_induced_excitability", "--fast-math", "--out", out)
    assert_refused(done, "backend 'fused' has no --fast-math", "(cuda, fused-cuda)")
    assert not out.exists()


def test_run_writes_summary_data_and_figures_and_never_over_them(tmp_path):
    out = tmp_path / "out"
    done = neuroglia(
        "run",
        "noise_induced_excitability",
        *QUICK,
        "--seed",
        3,
        "--json",
        "--set",
        "sigma2=0.01",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary == json.loads((out / "summary.json").read_text())
    assert summary["seed"] == 3 and summary["backend"] == "numpy"
    assert summary["parameters"]["sigma2"] == "0.01"
    assert len(summary["model_digest"]) == 64
    assert summary["wall_seconds"]["total"] > 0 and summary["versions"]["brian2"]
    assert "mean_field_spikes" in summary["results"]
    for path in (*summary["figures"], summary["data"]):
        assert (tmp_path / path).stat().st_size > 0
    before = (out / "data.nc").read_bytes()
    again = neuroglia("run", "noise_induced_excitability", *QUICK, "--out", out)
    assert_refused(again, "holds a result already", "--force")
    assert (out / "data.nc").read_bytes() == before
    forced = neuroglia("run", "noise_induced_excitability", *QUICK, "--out", out, "--force")
    assert forced.returncode == 0


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", ["data.nc", "records.png", "checkpoint/weights.pt", "checkpoint"])
def test_files_of_the_user_in_the_way_are_left_alone(tmp_path, name):
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    done = neuroglia("run", "noise_induced_excitability", *QUICK, "--out", tmp_path / "out")
    assert_refused(done, "--out")
    assert file.read_text() == "mine"


@pytest.fixture(scope="module")
def memory_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("memory") / "out"
    done = neuroglia(
        "run",
        "noise_induced_memory",
        "--backend",
        "numpy",
        *SMALL_MEMORY,
        "--control",
        "--json",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    return done, out


@pytest.mark.thorough
def test_the_memory_experiment_end_to_end(memory_run):
    done, out = memory_run
    summary = json.loads(done.stdout)
    assert {"accuracy", "recall_accuracy", "calcium_peak_uM", "spikes"} <= set(summary["results"])
    assert summary["control"]["calcium_peak_uM"] is None
    assert {p.name for p in out.glob("*.png")} == {"inputs.png", "response.png", "time_courses.png"}
    assert "100%" in done.stderr


def test_data_are_labelled_with_dimensions_and_units(memory_run):
    _, out = memory_run
    with xr.open_dataset(out / "data.nc") as data:
        assert data.frames_U.dims == ("time_frames", "row_frames", "column_frames")
        assert data.frames_U.shape[1:] == (13, 13)
        assert data.time_frames.attrs["units"] == "ms"
        assert data.calcium_Ca.attrs["units"] == "uM"
        assert 0.05 < float(data.calcium_Ca.max()) < 2
        assert data.calcium_Ca.attrs["equation"].startswith("dCa/dt = ")


@pytest.mark.thorough
def test_images_are_read_and_fitted(tmp_path):
    for name in ("train", "test", "clean"):
        write_png(render_digit_one((26, 26)), tmp_path / f"{name}.png")
    images = [f"--{name}={tmp_path / name}.png" for name in ("train", "test", "clean")]
    run = ["run", "noise_induced_memory", "--backend", "numpy", "--quiet", *SMALL_MEMORY, *images]
    assert_refused(neuroglia(*run, "--out", tmp_path / "a"), "26", "13", "--resize")
    assert not (tmp_path / "a").exists()
    done = neuroglia(*run, "--resize", "--out", tmp_path / "b", "--json")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in json.loads(done.stdout)["images"]["origin"]


@pytest.mark.thorough
def test_bad_images_are_refused_before_anything_runs(tmp_path):
    np.save(tmp_path / "grey.npy", np.full((130, 130), 0.5))
    (tmp_path / "junk.png").write_bytes(b"\x00\x01\x02junk")
    for name, words in (
        ("grey.npy", ("0.5",)),
        ("junk.png", ("junk.png",)),
        ("no.txt", ("no.txt",)),
    ):
        done = neuroglia(
            "run",
            "noise_induced_memory",
            "--out",
            tmp_path / "out",
            "--train",
            tmp_path / name,
            "--test",
            tmp_path / name,
        )
        assert_refused(done, *words)
    done = neuroglia("run", "noise_induced_memory", "--train", tmp_path / "grey.npy")
    assert_refused(done, "--train", "--test")


@pytest.mark.one_in(12)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "noise_induced_memry"], ["noise_induced_memory"]),
        (["run", "missing.toml"], ["missing.toml", "cannot be read"]),
        (["run", "noise_induced_excitability", "--backend", "cp"], ["no backend 'cp'", "cpp"]),
        (["run", "noise_induced_excitability", "--set", "sigm2=1"], ["sigma2"]),
        (["run", "noise_induced_excitability", "--set", "sigma2"], ["NAME=VALUE"]),
        (
            ["run", "noise_induced_excitability", "--set", "sigma2=-1"],
            ["--set sigma2=-1: ", "minimum"],
        ),
        (["run", "noise_induced_excitability", "--seed", "-1"], ["seed"]),
        (["run", "noise_induced_excitability", "--threads", "0"], ["threads"]),
        (["run", "noise_induced_excitability", "--without", "glia"], ["no population 'glia'"]),
        (["run", "noise_induced_excitability", "--without", "neuron"], ["at least one"]),
        (["run", "noise_induced_excitability", "--control"], ["no glia"]),
        (["run", "noise_induced_excitability", "--train", "a.png"], ["takes no --train"]),
        (["run", "noise_induced_memory", "--weights", "x"], ["takes no --weights"]),
        (["run", "noise_induced_memory", "--images", "3"], ["takes no --test-images"]),
        (["run", "noise_induced_memory", "--data", "x"], ["takes no --data"]),
        (["run", "noise_induced_memory", "--resize"], ["--resize", "add --image"]),
        (["run", "noise_induced_memory", "--workers", "2"], ["--workers", "add --seeds"]),
        (
            ["run", "noise_induced_memory", "--backend", "numpy", "--threads", "2"],
            ["without --threads"],
        ),
        (["run", "noise_induced_excitability", "--out", "/dev/null/x"], ["/dev/null/x"]),
        (["run", "noise_induced_excitability", "--out", "/dev/null"], ["null is a file; --out"]),
        (["run", "noise_induced_memory", "--set", "model.duration=1 ms"], ["1 ms", "1500 ms"]),
        (["copy", "noise_induced_memory", "x.txt"], [".toml"]),
        (["diff", "noise_induced_memory", "nope"], ["nope"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_get_one_sentence_and_status_two(tmp_path, arguments, words):
    assert_refused(neuroglia(*arguments, cwd=tmp_path), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_a_message_stands_below_the_progress_bar(tmp_path):
    too_long = ("--set", "model.dt=0.02 ms", "--backend", "numpy", "--out", str(tmp_path / "out"))
    done = neuroglia("run", "noise_induced_excitability", *too_long)
    assert done.returncode == 2
    assert "|" in done.stderr and "\nneuroglia: population 'neuron'" in done.stderr


@pytest.mark.thorough
def test_doctor_says_which_backends_run():
    findings = json.loads(neuroglia("doctor", "--json").stdout)
    assert findings["backends"]["numpy"] is None
    assert findings["packages"]["brian2"]
    assert "noise_induced_memory" in findings["models"]["numpy"]
    for name, reason in findings["backends"].items():
        assert bool(reason) == (not findings["models"][name]), name
    said = neuroglia("doctor").stdout
    assert "backend numpy" in said
    assert "draws rand()" not in said  # what one model does says nothing about a backend
