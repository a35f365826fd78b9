"""The FHN classifier as a user runs it: `run fhn_classifier` and `reproduce fhn-classifier`."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the classifier learns with torch")
pytest.importorskip("snntorch", reason="its layers need snntorch")

from helpers.classifier import QUICK

from neuroglia_snn.cli import main
from neuroglia_snn.lava import compat

SHORT = {"experiment.base_epochs": "3", "experiment.epochs": "4"}


def flags(settings: dict[str, str]) -> list[str]:
    return [f"--set={name}={value}" for name, value in settings.items()]


def neuroglia(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "neuroglia_snn", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """Ten patterns with noise, as IDX files."""
    folder = tmp_path_factory.mktemp("digits")
    random = np.random.default_rng(0)
    patterns = random.integers(0, 2, (10, 8, 8)) * 150
    for name, count in (("train", 200), ("t10k", 60)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = (patterns[labels] + random.integers(0, 100, (count, 8, 8))).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            path = folder / f"{name}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(head + array.tobytes()))
    return folder


def refused(done: subprocess.CompletedProcess, *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_run_trains_evaluates_and_draws(digits, tmp_path):
    out = tmp_path / "out"
    arguments = ["run", "fhn_classifier", "--data", digits, "--out", out, "--quiet"]
    done = neuroglia(*arguments, *flags(QUICK | SHORT), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary == json.loads(done.stdout)
    found = summary["results"]
    assert 0.1 < found["test_accuracy"] <= 1 and found["check_same_class"] == 1
    assert len(summary["per_digit"]["test"]) == 10
    assert str(digits) in summary["data"] and summary["training_images"] == 200
    for path in (*summary["figures"], summary["weights"]):
        assert Path(path).stat().st_size > 1000
    assert not (out / "checkpoint").exists()
    refused(neuroglia(*arguments, *flags(QUICK | SHORT)), "holds a result already")


@pytest.mark.thorough
def test_an_interrupted_run_resumes_to_the_same_result(digits, tmp_path):
    from neuroglia_snn import UserError
    from neuroglia_snn.options import Options
    from neuroglia_snn.runs import run

    def weights(folder: Path) -> dict[str, np.ndarray]:
        with np.load(folder / "weights.npz") as stored:
            return dict(stored)

    options = Options(overrides=QUICK | SHORT, own={"data": digits}, seed=3)
    whole = run("fhn_classifier", tmp_path / "whole", options)

    class Interrupt(BaseException):
        pass

    def progress(label: str):
        def update(fraction, _):
            if label == "training inside" and fraction >= 0.5:
                raise Interrupt

        return update

    cut = tmp_path / "cut"
    with pytest.raises(Interrupt):
        run("fhn_classifier", cut, options, progress=progress)
    assert not (cut / "summary.json").exists()
    with pytest.raises(UserError, match="interrupted run"):
        run("fhn_classifier", cut, options)
    resumed = Options(**{**vars(options), "resume": True})
    with pytest.raises(UserError, match="another seed"):
        run("fhn_classifier", cut, Options(**{**vars(resumed), "seed": 4}))
    again = run("fhn_classifier", cut, resumed)
    assert again.measures == whole.measures
    kept, expected = weights(cut), weights(tmp_path / "whole")
    assert all(np.array_equal(kept[name], expected[name]) for name in expected)


@pytest.mark.thorough
def test_damaged_data_are_refused_and_nothing_is_left(digits, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in digits.iterdir():
        raw = path.read_bytes()
        (broken / path.name).write_bytes(raw[:-30] if "train-images" in path.name else raw)
    out = tmp_path / "out"
    done = neuroglia("run", "fhn_classifier", "--data", broken, "--out", out)
    refused(done, "train-images-idx3-ubyte.gz", "cut off")
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--backend", "cpp"], "--backend"),
        (["--replicas", "3"], "--seeds"),
        (["--no-astrocytes"], "--no-astrocytes"),
        (["--train", "a.png"], "--train"),
        (["--set", "experiment.transient=1.001 ms"], "multiple"),
        (["--data", "/no/such/folder"], "not a folder"),
    ],
)
def test_what_means_nothing_is_refused(digits, tmp_path, capsys, arguments, said):
    out = tmp_path / "out"
    command = ["run", "fhn_classifier", "--out", str(out), "--data", str(digits), *arguments]
    assert main(command) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.thorough
@pytest.mark.slow
def test_reproduce_gives_every_table_and_figure(digits, tmp_path):
    out = tmp_path / "out"
    few = ["--seeds", 2, "--epochs", 2, "--data", digits, "--out", out, "--quiet"]
    done = neuroglia("reproduce", "fhn-classifier", *few, *flags(QUICK), "--images", 100)
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert [c["alpha"] for c in summary["table_1"]] == [-2.0, -10.0, 0.6]
    assert np.shape(summary["figure_4"]["test_accuracy"]) == (
        2,
        len(summary["figure_4"]["alpha"]),
    )
    assert set(summary["table_2"]["paper"]) == {"small_train", "small_test", "train", "test"}
    assert {Path(f).name for f in summary["figures"]} == {
        *("figure_3.png", "figure_4.png", "figure_6.png", "confusion.png")
    }
    tables = (out / "tables.md").read_text()
    assert "| average |" in tables and "published" in tables
    assert 0 <= summary["results"]["variant_noise_0.1_accuracy"] <= 1


@pytest.mark.parametrize(
    "arguments, said",
    [(["--seeds", "0"], "--seeds"), (["--set", "eps"], "NAME=VALUE"), (["--set", "x=1"], "x")],
)
def test_wrong_flags_of_reproduce(digits, tmp_path, capsys, arguments, said):
    out = tmp_path / "out"
    command = ["reproduce", "fhn-classifier", "--out", str(out), "--data", str(digits)]
    assert main([*command, *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


WITHOUT = "import sys; sys.modules['torch'] = None; sys.argv[0] = 'neuroglia'; "


@pytest.mark.thorough
def test_without_torch_the_rest_works_and_the_error_says_what_to_install(tmp_path):
    code = WITHOUT + "from neuroglia_snn.cli import main; sys.exit(main(sys.argv[1:]))"

    def without(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "fhn_classifier" in without("list").stdout
    assert without("check", "fhn_classifier").returncode == 0
    assert without("reproduce", "fhn-classifier", "--help").returncode == 0
    for arguments in (["run", "fhn_classifier"], ["reproduce", "fhn-classifier"]):
        done = without(*arguments, "--out", tmp_path / "out")
        refused(done, "pip install 'neuroglia_snn[torch]'")
        assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------ on lava

needs_lava = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory) -> Path:
    """Weights that tell the ten patterns apart: a unit for each, and its opposite."""
    patterns = np.random.default_rng(0).integers(0, 2, (10, 64)) - 0.5
    w_in = np.concatenate([patterns, -patterns, np.zeros((80, 64))]) / 4
    w_out = np.zeros((10, 100))
    w_out[:, :10], w_out[:, 10:20] = np.eye(10), -np.eye(10)
    path = tmp_path_factory.mktemp("trained") / "weights.npz"
    np.savez(path, w_in=w_in.astype(np.float32), w_out=w_out.astype(np.float32))
    return path


@pytest.mark.thorough
@needs_lava
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float", "fixed"])
def test_a_trained_network_on_lava_answers_as_torch_does(digits, trained, tmp_path, precision):
    arguments = ["run", "fhn_classifier", "--data", digits, "--backend", "lava", "--quiet"]
    arguments += ["--weights", trained, "--images", 30, "--precision", precision]
    done = neuroglia(*arguments, "--out", tmp_path / "out", *flags(QUICK), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["results"]["torch_accuracy"] > 0.9  # so agreement says something
    assert summary["results"]["lava_agreement"] >= 0.97
    assert summary["lava"]["images"] == 30 and summary["precision"] == precision
    assert summary["lava"].get("saturated", 0) == 0 and summary["lava"]["warnings"] == []
    assert summary["lava"]["steps_per_lava_step"] == 5  # what is between two samples
    assert summary["lava"]["lava_steps_per_image"] == 20
    formats = summary["lava"].get("formats", {})
    assert formats.get("pixels") == ({"grey": "Q8.0"} if precision == "fixed" else None)
    assert Path(summary["figures"][0]).stat().st_size > 1000


@needs_lava
def test_what_cannot_be_shown_on_lava_is_refused(digits, trained, tmp_path, capsys):
    np.savez(tmp_path / "small.npz", w_in=np.ones((3, 64)), w_out=np.ones((10, 3)))
    (tmp_path / "text.npz").write_text("no weights")
    lava = ["--backend", "lava"]
    for more, words in (
        ([*lava, "--weights", tmp_path / "gone.npz"], ["gone.npz", "cannot be read"]),
        ([*lava, "--weights", tmp_path / "text.npz"], ["text.npz", "weights.npz of a run"]),
        ([*lava, "--weights", tmp_path / "small.npz"], ["(3, 64)", "(100, 64)"]),
        ([*lava, "--weights", trained, "--precision", "float32"], ["float or fixed"]),
        ([*lava, "--weights", trained, "--images", "0"], ["--test-images"]),
        (["--weights", trained], ["add --backend lava"]),
        (["--backend", "fused"], ["learns with torch"]),
    ):
        out = tmp_path / "out"
        asked = ["run", "fhn_classifier", "--data", digits, "--out", out, *more]
        assert main([str(word) for word in asked]) == 2
        said = capsys.readouterr().err
        assert said.startswith("neuroglia: ") and all(word in said for word in words), said
        assert not (out / "summary.json").exists()
