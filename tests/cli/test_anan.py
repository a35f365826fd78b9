"""`neuroglia reproduce anan` as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neuroglia_snn.cli import main

pytest.importorskip("torch")
pytest.importorskip("sklearn")

QUICK = ["--folds", 2, "--epochs", 2, "--width", 2, "--blocks", 2, "--quiet"]
TWO = ["--variants", "percentage-mean,literal-max"]


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "neuroglia_snn", "reproduce", "anan", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def scores(folder: Path) -> xr.Dataset:
    with xr.open_dataset(folder / "data.nc", engine="h5netcdf") as data:
        return data.load()


@pytest.mark.thorough
def test_the_study_on_digits_and_going_on_after_a_kill(tmp_path):
    whole = start(*QUICK, *TWO, "--json", "--out", tmp_path / "whole")
    said, errors = whole.communicate(timeout=300)
    assert whole.returncode == 0, errors
    summary = json.loads(said)
    assert summary["images"]["name"] == "digits" and summary["seeds"] == [0]
    assert [row["variant"] for row in summary["variants_results"]] == summary["variants"]
    assert all(Path(path).stat().st_size > 5000 for path in summary["figures"])
    tables = Path(summary["tables"]).read_text()
    assert all(f"| {score} |" in tables for score in ("loss", "accuracy", "f1"))
    found = scores(tmp_path / "whole")
    assert dict(found.sizes) == {
        **{"seed": 1, "fold": 2, "variant": 2, "part": 2, "score": 3, "point": 240},
    }
    # k = 4 with mu = 4 changes no weight before the last presentation is over
    idle = found.modulated.isel(point=np.flatnonzero((found.k == 4) & (found.mu == 4)))
    idle = idle.sel(variant="percentage-mean", score=["accuracy", "f1"])
    assert bool((idle == found.base.sel(variant="percentage-mean", score=idle.score)).all())

    cut = start(*QUICK, *TWO, "--out", tmp_path / "cut")
    for _ in range(1200):
        if list((tmp_path / "cut").glob("checkpoint/parts/seed0-fold0-p*.npz")):
            break
        time.sleep(0.05)
    cut.send_signal(signal.SIGKILL)
    cut.wait(timeout=60)
    assert not (tmp_path / "cut" / "summary.json").exists()
    other = start(*QUICK, *TWO, "--out", tmp_path / "cut", "--resume", "--threads", 2)
    assert "another threads" in other.communicate(timeout=60)[1] and other.returncode == 2
    again = start(*QUICK, *TWO, "--out", tmp_path / "cut", "--resume")
    assert again.wait(timeout=300) == 0
    assert scores(tmp_path / "cut").identical(found)
    third = start(*QUICK, "--out", tmp_path / "cut")
    assert "holds a result already" in third.communicate(timeout=60)[1] and third.returncode == 2


@pytest.mark.thorough
def test_several_classes_and_spiking_networks(tmp_path):
    images = {}
    random = np.random.default_rng(0)
    for part, count in (("train", 24), ("val", 6), ("test", 9)):
        labels = np.arange(count) % 3
        pixels = random.integers(0, 90, (count, 8, 8)) + 80 * labels[:, None, None]
        images |= {f"{part}_images": pixels.astype(np.uint8), f"{part}_labels": labels[:, None]}
    np.savez(tmp_path / "grey.npz", **images)
    done = start(
        *QUICK,
        *("--data", tmp_path / "grey.npz", "--multiclass", "--layer", "conv2"),
        *("--variants", "calcium-mean,spiking-counter,spiking-calcium"),
        *("--json", "--out", tmp_path / "out"),
    )
    said, errors = done.communicate(timeout=300)
    assert done.returncode == 0, errors
    summary = json.loads(said)
    assert list(summary["images"]["classes"]) == ["0", "1", "2"]
    found = scores(tmp_path / "out")
    spiking = found.modulated.sel(variant="spiking-counter", score="loss")
    assert float(spiking.std("point").max()) > 0  # astrocytes do something
    assert not spiking.equals(found.modulated.sel(variant="spiking-calcium", score="loss"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "nowhere"], "nowhere is neither a folder of images nor a MedMNIST .npz file"),
        (["--variants", "mean"], "--variants takes different ones of percentage-mean"),
        (["--layer", "conv7"], "--layer is one of conv1, conv2, conv3, fc1, fc2, not 'conv7'"),
        (["--folds", "1"], "--folds must be at least 2, not 1"),
        (["--folds", "200"], "too few for 200 folds"),
        (["--kernel", "4"], "--kernel is an odd number of pixels, not 4"),
        (["--blocks", "4"], "halves 8 pixels to nothing"),
        (["--positive", "9"], "--positive 9: the labels of digits are 3, 8"),
    ],
)
def test_bad_options_are_one_sentence_and_leave_nothing(tmp_path, capsys, arguments, said):
    assert main(["reproduce", "anan", *arguments, "--out", str(tmp_path / "out")]) == 2
    output, errors = capsys.readouterr()
    assert said in errors and not output
    assert len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.thorough
def test_a_corrupt_image_is_one_sentence(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = start("--data", tmp_path / "set", "--out", tmp_path / "out")
    output, errors = done.communicate(timeout=120)
    assert done.returncode == 2 and not output and "Traceback" not in errors
    assert "1.png cannot be read as an image" in errors and len(errors.splitlines()) == 1
