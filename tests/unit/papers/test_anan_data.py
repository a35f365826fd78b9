"""Images for the ANAN study: folders, MedMNIST files, digits; and everything wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neuroglia_snn import UserError
from neuroglia_snn.papers.anan import data

RANDOM = np.random.default_rng(0)


def folder(path: Path, counts: dict[str, int], side: int = 10) -> Path:
    """Noise images, ``counts`` per sub-folder."""
    for name, count in counts.items():
        (path / name).mkdir(parents=True, exist_ok=True)
        for n in range(count):
            pixels = RANDOM.integers(0, 255, (side, side + n % 2, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(path / name / f"{n}.png")
    return path


def medmnist(path: Path, **changes: np.ndarray) -> Path:
    arrays = {}
    for part, count in (("train", 30), ("val", 10), ("test", 20)):
        arrays[f"{part}_images"] = RANDOM.integers(0, 255, (count, 9, 9, 3)).astype(np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count) % 5)[:, None].astype(np.uint8)
    arrays |= changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def read(path=None, positive=None, multiclass=False, size=None, seed=0) -> data.DataSet:
    return data.read(path, positive, multiclass, size, seed)


def test_digits_are_always_there():
    pytest.importorskip("sklearn")
    found = read()
    assert found.classes == ("3", "8") and found.images.shape == (357, 8, 8, 1)
    assert found.images.max() == 255 and found.test.sum() == pytest.approx(0.2 * 357, abs=2)
    assert read(seed=0).digest == found.digest != read(seed=1).digest


def test_a_folder_without_a_split_gets_one(tmp_path):
    found = read(folder(tmp_path / "set", {"cat": 20, "dog": 30}), size=12)
    assert found.classes == ("cat", "dog") and found.images.shape == (50, 12, 12, 3)
    assert np.bincount(found.labels[found.test]).tolist() == [4, 6]


def test_a_folders_own_split_is_kept(tmp_path):
    for part, count in (("train", 6), ("Val", 2), ("test", 3)):
        folder(tmp_path / part, {"a": count, "b": count})
    found = read(tmp_path, size=10)
    assert found.test.sum() == 6 and len(found.labels) == 22


def test_medmnist_grades_are_grouped(tmp_path):
    path = medmnist(tmp_path / "grades.npz")
    found = read(path)
    assert found.classes == ("0", "1+2+3+4") and found.labels.mean() == pytest.approx(0.8)
    assert found.test.sum() == 20 and found.images.shape == (60, 9, 9, 3)
    assert read(path, positive="3, 4").classes == ("0+1+2", "3+4")
    assert read(path, multiclass=True).classes == tuple("01234")
    assert read(path, size=18).images.shape == (60, 18, 18, 3)
    assert read(tmp_path).digest == found.digest  # the folder of the file


@pytest.mark.data
def test_retinamnist_is_table_1s(data_set):
    """1,600 images, 44.62 % of them healthy, 25 % in MedMNIST's test set (Table 1)."""
    found = read(data_set("medmnist/retinamnist.npz"))
    assert found.describe() == {
        "name": "retinamnist",
        "images": 1600,
        "test_images": 400,
        "shape": (28, 28, 3),
        "classes": {"0": "44.62%", "1+2+3+4": "55.38%"},
    }


def test_grey_medmnist(tmp_path):
    grey = {
        f"{p}_images": np.zeros((n, 9, 9), np.uint8)
        for p, n in (("train", 30), ("val", 10), ("test", 20))
    }
    assert read(medmnist(tmp_path / "grey.npz", **grey)).images.shape == (60, 9, 9, 1)
    assert read(tmp_path / "grey.npz", size=4).images.shape == (60, 4, 4, 1)


def refused(path, said: str, **options) -> None:
    with pytest.raises(UserError) as caught:
        read(path, **options)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_bad_folders(tmp_path):
    refused(tmp_path / "nothing", "is neither a folder of images nor a MedMNIST .npz file")
    one = folder(tmp_path / "one", {"cat": 3})
    refused(one, "expected two or more sub-folders")
    refused(folder(tmp_path / "empty", {"cat": 10, "dog": 0}), "class 'dog' has no training image")
    refused(folder(tmp_path / "single", {"cat": 1, "dog": 0}), "class 'dog' has no training image")
    refused(folder(tmp_path / "few", {"cat": 10, "dog": 1}), "class 'dog' has no test image")
    folder(tmp_path / "half" / "train", {"cat": 3, "dog": 3})
    refused(tmp_path / "half", "has no folder 'test' beside train")
    broken = folder(tmp_path / "broken", {"cat": 10, "dog": 10})
    (broken / "dog" / "3.png").write_bytes((broken / "dog" / "4.png").read_bytes()[:60])
    refused(broken, "3.png cannot be read as an image")
    (broken / "dog" / "3.png").write_text("not an image")
    refused(broken, "3.png cannot be read as an image")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"val_labels": None}, "has no val_labels: a MedMNIST file has"),
        ({"train_labels": np.zeros((29, 1), np.uint8)}, "train_images has 30 images but 29 labels"),
        (
            {"train_labels": np.full((30, 1), np.nan)},
            "train_labels must be one whole number an image",
        ),
        ({"train_labels": np.full((30, 1), -1)}, "train_labels has the label -1"),
        ({"train_labels": np.zeros((30, 14), np.uint8)}, "one whole number an image"),
        ({"test_images": np.zeros((20, 9, 9, 3))}, "must be uint8 of shape"),
        ({"test_images": np.zeros((20, 9, 9, 9), np.uint8)}, "must be uint8 of shape"),
        ({"test_images": np.zeros((20, 9, 8, 3), np.uint8)}, "must be square, not 9 x 8"),
        ({"test_images": np.zeros((20, 8, 8, 3), np.uint8)}, "differ in shape"),
        ({"test_labels": np.ones((20, 1), np.uint8)}, "class '0' has no test image"),
    ],
)
def test_bad_medmnist_files(tmp_path, changes, said):
    refused(medmnist(tmp_path / "bad.npz", **changes), said)


def test_a_damaged_file(tmp_path):
    path = medmnist(tmp_path / "damaged.npz")
    path.write_bytes(path.read_bytes()[:500])
    refused(path, "cannot be read as a MedMNIST .npz file")


def test_labels_outside_the_range(tmp_path):
    path = medmnist(tmp_path / "grades.npz")
    refused(path, "--positive 7: the labels of grades are 0, 1, 2, 3, 4", positive="7")
    refused(path, "the labels of grades are", positive=",")
    refused(path, "leaves no image for the other class", positive="0,1,2,3,4")
    refused(path, "give one of them", positive="1", multiclass=True)
