"""Recordings in the published study's layout and in ours, right and wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from neuroglia_snn.papers.fep import RecordingError, recordings, stimulus
from neuroglia_snn.papers.fep.ensembles import Culture
from neuroglia_snn.results import write_dataset

TRIALS = 12 * stimulus.TRIALS


def fields(seed: int = 0) -> dict[str, np.ndarray]:
    shown = stimulus.draw(0.0, seed, 12)
    counts = np.random.default_rng(seed).poisson(3, (TRIALS, 64)).astype(np.uint8)
    o = shown.electrodes.reshape(TRIALS, -1)
    return {"s": shown.sources.reshape(TRIALS, -1), "o": o, "r": counts}


def cells(structs: list[dict]) -> np.ndarray:
    """A MATLAB cell array of structs, as the published files have."""
    array = np.empty((len(structs), 1), dtype=object)
    for n, struct in enumerate(structs):
        array[n, 0] = struct
    return array


def struct_array(structs: list[dict]) -> np.ndarray:
    array = np.empty((len(structs), 1), dtype=[(k, object) for k in structs[0]])
    for n, struct in enumerate(structs):
        array[n, 0] = tuple(struct.values())
    return array


@pytest.mark.parametrize("layout", [cells, struct_array])
@pytest.mark.parametrize("count", [1, 3])
def test_both_matlab_layouts_are_read(tmp_path, layout, count):
    written = [fields(n) for n in range(count)]
    savemat(tmp_path / "response_data_mix0.mat", {"data_mix0": layout(written)})
    read = recordings.load(tmp_path)
    assert [str(c) for c in read] == [f"culture {n + 1} of condition mix0" for n in range(count)]
    for culture, values in zip(read, written, strict=True):
        assert culture.counts.shape == (12, stimulus.TRIALS, 64)
        assert np.array_equal(culture.sources.reshape(TRIALS, 2), values["s"])
        assert np.array_equal(culture.electrodes.reshape(TRIALS, 32), values["o"])
        assert np.array_equal(culture.counts.reshape(TRIALS, 64), values["r"])


def test_our_own_files_are_read_back(tmp_path):
    arrays = [v.reshape(12, stimulus.TRIALS, -1) for v in fields().values()]
    written = [Culture("culture 1", "mix0", *arrays), Culture("culture 1", "raised", *arrays)]
    write_dataset(recordings.dataset(written), tmp_path / "data.nc")
    read = recordings.load(tmp_path)
    assert [c.condition for c in read] == ["mix0", "raised"]
    assert [c.name for c in read] == ["culture 1", "culture 1"]
    for one, other in zip(read, written, strict=True):
        for name in recordings.FIELDS:
            assert np.array_equal(getattr(one, name), getattr(other, name))


def without(name: str):
    return lambda f: {k: v for k, v in f.items() if k != name}


def with_(name: str, change):
    return lambda f: f | {name: change(f[name])}


def put(value):
    def change(array):
        array = array.astype(float)
        array[5, 1] = value
        return array

    return change


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without("r"), "has no field 'r'"),
        (with_("s", lambda s: s[:, :1]), r"'s' is \(3072, 1\), not \(3072, 2\)"),
        (with_("o", lambda o: o[:, :30]), r"'o' is \(3072, 30\), not \(3072, 32\)"),
        (with_("r", lambda r: r[:-5]), r"'r' is \(3067, 64\), not \(3072, electrodes\)"),
        (with_("r", lambda r: r[:, 0]), "'r' is"),
        (with_("r", put(np.nan)), "'r' holds NaN"),
        (with_("r", put(np.inf)), "'r' holds NaN or infinity"),
        (with_("r", put(-1)), "'r' counts spikes, and holds -1"),
        (with_("s", put(2)), "'s' must be 0 or 1, and holds 2"),
        (with_("o", put(0.5)), "'o' must be 0 or 1, and holds 0.5"),
        (with_("r", lambda r: "text"), "'r' is"),
        (
            lambda f: {k: v[:2560] for k, v in f.items()},
            "2560 trials, not 256 in each of more than 10",
        ),
        (lambda f: {k: v[:3000] for k, v in f.items()}, "3000 trials, not 256 in each"),
    ],
)
@pytest.mark.parametrize("layout", [cells, struct_array])
def test_a_wrong_culture_is_named_with_its_condition(tmp_path, layout, spoil, said):
    path = tmp_path / "response_data_mix50.mat"
    savemat(path, {"data_mix50": layout([spoil(fields(n)) for n in range(2)])})
    with pytest.raises(RecordingError, match=said) as refused:
        recordings.load(tmp_path)
    assert f"{path}: culture 1 of condition mix50" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_other_variables_and_files_are_refused(tmp_path):
    with pytest.raises(RecordingError, match="no such file"):
        recordings.load(tmp_path / "absent")
    with pytest.raises(RecordingError, match="no recordings here"):
        recordings.load(tmp_path)
    savemat(tmp_path / "a.mat", {"data_mix0": np.ones((3, 3))})
    with pytest.raises(RecordingError, match="culture 1 of condition mix0 has no field 's'"):
        recordings.load(tmp_path)
    (tmp_path / "a.mat").write_text("not MATLAB")
    with pytest.raises(RecordingError, match=r"a\.mat"):
        recordings.load(tmp_path)
    (tmp_path / "a.mat").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"a\.mat"):
        recordings.load(tmp_path)
    (tmp_path / "a.mat").unlink()
    (tmp_path / "data.nc").write_bytes(b"not HDF5")
    with pytest.raises(RecordingError, match=r"data\.nc"):
        recordings.load(tmp_path)


def test_a_file_without_cultures_is_refused(tmp_path):
    data = recordings.dataset([Culture("culture 1", "mix0", *[np.zeros((1, 2, 3))] * 3)])
    write_dataset(data.drop_vars("counts"), tmp_path / "data.nc")
    with pytest.raises(RecordingError, match="has no 'counts'"):
        recordings.load(tmp_path)


def test_missing_scipy_is_said(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"data_mix0": cells([fields()])})
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(RecordingError, match="pip install scipy"):
        recordings.load(tmp_path)
