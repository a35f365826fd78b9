"""What a sweep has finished is never lost, whatever a kill leaves behind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroglia_snn.errors import ResultError
from neuroglia_snn.sweeps import Axis, Grid
from neuroglia_snn.sweeps.store import DATA, JOURNAL, Store, discard

GRID = Grid((Axis("a", ("1 ms", "2 ms")), Axis("b", ("x", "y", "z"))), 2, 5)
IDENTITY = {"model": "m", "seeds": 2}


def fill(store: Store, count: int) -> None:
    for n, point in enumerate(store.missing()[:count]):
        store.add(point, {"measure": n, "other": None})


def test_a_dataset_has_the_sweeps_dimensions(tmp_path):
    with Store(tmp_path, GRID, IDENTITY) as store:
        fill(store, GRID.size - 1)
        last = store.missing()[0]
        store.add(last, None, "it broke")
        data = store.dataset()
    assert dict(data.sizes) == {"a": 2, "b": 3, "seed": 2}
    assert data["a"].attrs["units"] == "ms" and data["seed"].values.tolist() == [5, 6]
    assert np.isnan(data["measure"].values[last.place]) and np.isnan(data["other"]).all()
    assert np.isfinite(data["measure"].values).sum() == GRID.size - 1
    assert data["failed"].values[last.place] == "it broke"


def test_a_setting_may_be_called_as_a_result_is(tmp_path):
    grid = Grid((Axis("measure", ("1", "2")), Axis("failed", ("1", "2"))))
    with Store(tmp_path, grid, IDENTITY) as store:
        fill(store, 3)
        store.add(store.missing()[0], None, "it broke")
        data = store.dataset()
    assert data["measure"].values.tolist() == data["failed"].values.tolist() == [1, 2]
    assert data["measure_result"].values.ravel()[:3].tolist() == [0, 1, 2]
    assert data["failed_result"].values.ravel()[3] == "it broke"


def test_it_goes_on_where_it_was_and_failed_points_come_again(tmp_path):
    with Store(tmp_path, GRID, IDENTITY) as store:
        fill(store, 4)
        store.add(store.missing()[0], None, "it broke")
        left = store.missing()
    with Store(tmp_path, GRID, IDENTITY) as again:
        assert again.missing() == left and len(left) == GRID.size - 4
        again.add(left[0], {"measure": 1.0})
        assert not again.failed
        assert again.write() == tmp_path / DATA


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_journal_that_was_cut_anywhere_keeps_its_whole_lines(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    with Store(folder, GRID, IDENTITY) as store:
        fill(store, 6)
    journal = (folder / JOURNAL).read_bytes()
    cut = data.draw(st.integers(0, len(journal)))
    (folder / JOURNAL).write_bytes(journal[:cut])
    whole = journal[:cut].count(b"\n")
    with Store(folder, GRID, IDENTITY) as again:
        assert len(again.found) == whole
        fill(again, 1)
    with Store(folder, GRID, IDENTITY) as last:
        assert len(last.found) == whole + 1


def test_another_sweep_or_a_result_in_the_folder_is_refused(tmp_path):
    with Store(tmp_path / "a", GRID, IDENTITY):
        pass
    other = {"seeds": 3, "over": {"a": ["1", "2"]}}
    said = r"a holds another sweep \(over none, not a = 1,2; seeds 2, not 3\): choose another --out"
    with pytest.raises(ResultError, match=said):
        Store(tmp_path / "a", GRID, IDENTITY | other)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "summary.json").write_text("{}")
    with pytest.raises(ResultError, match="holds a result already"):
        Store(tmp_path / "b", GRID, IDENTITY)
    (tmp_path / "c").write_text("mine")
    with pytest.raises(ResultError, match="c is a file; --out takes a folder"):
        Store(tmp_path / "c", GRID, IDENTITY)


def test_a_sweep_is_given_up_with_its_files_but_not_while_it_runs(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ResultError, match="holds no sweep to give up"):
        discard(tmp_path, ())
    folder = tmp_path / "sweep"
    with Store(folder, GRID, IDENTITY) as store:
        fill(store, 2)
        with pytest.raises(ResultError, match="running already"):
            discard(folder, ())
    (folder / "summary.json").write_text("{}")
    (folder / "mine.txt").write_text("mine")
    discard(folder, ("summary.json",))
    assert {p.name for p in folder.iterdir()} <= {"mine.txt", "sweep.lock"}
    discard(tmp_path / "nothing", ())
