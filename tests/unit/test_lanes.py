"""The order of units in the lanes of vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroglia_snn import lanes

SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 70)) | st.tuples(st.integers(1, 300))


@given(SHAPES)
def test_every_unit_has_a_place_of_its_own(shape):
    order = lanes.of(shape)
    place = lanes.places(shape)
    assert len(np.unique(place)) == place.size
    assert place.min() >= 0 and place.max() < order.count
    assert order.blocks * order.strips == lanes.LANES and order.height * order.blocks == order.rows


@given(st.tuples(st.integers(1, 70), st.integers(1, 70)))
def test_neighbours_are_in_the_same_lane_or_across_a_rectangles_edge(shape):
    order = lanes.of(shape)
    vector, lane = np.divmod(lanes.places(shape).reshape(shape), lanes.LANES)
    row, column = np.divmod(vector, order.width)

    same = lane[:, 1:] == lane[:, :-1]
    assert (np.diff(column)[same] == 1).all() and (np.diff(row) == 0).all()
    assert (column[:, 1:][~same] == 0).all() and (column[:, :-1][~same] == order.width - 1).all()

    same = lane[1:] == lane[:-1]
    assert (np.abs(np.diff(row, axis=0))[same] == 1).all() and (np.diff(column, axis=0) == 0).all()
    # blocks are folded: across an edge the row stays, and it is the first one or the last
    across = row[1:][~same]
    assert (np.diff(row, axis=0)[~same] == 0).all()
    assert np.isin(across, (0, order.height - 1)).all()


@pytest.mark.parametrize(
    ("shape", "blocks"), [((130, 130), 2), ((52, 52), 4), ((129, 130), 1), ((1024, 1024), 1)]
)
def test_lanes_need_few_vectors_in_rows_of_moderate_length(shape, blocks):
    assert lanes.of(shape).blocks == blocks
