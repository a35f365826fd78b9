"""What parts of a program send each other, as bytes: every value arrives, in one piece or in several."""

from __future__ import annotations

from types import SimpleNamespace

import brian2
import numpy as np
import pytest

from neuroglia_snn.lava.letters import PIECES, Letter, collected, expected, of_batch, of_message
from neuroglia_snn.program.batches import Batches
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.program import Message, Program, Sent
from neuroglia_snn.program.tree import Array


def array(values: np.ndarray) -> Array:
    return Array(0, Given("x", values, SimpleNamespace(name="owner")), False)


def delivered(letter: Letter, change) -> int:
    """Send a letter, change what it told of, and receive it; how many pieces it took."""
    pieces = []
    letter.send(lambda number, piece: pieces.append(piece.copy()))
    assert {len(piece) for piece in pieces} == {letter.piece}
    count = len(pieces)
    change()
    letter.receive(lambda number: pieces.pop(0))
    assert not pieces
    return count


@pytest.mark.parametrize("count", [0, 1, 7, 2000, 5000])
def test_values_elements_and_events_arrive(count):
    values = np.linspace(0, 1, 33)
    flags = np.arange(7) % 2 == 0
    space = np.full(5001, -1, np.int32)
    space[:count], space[-1] = np.arange(count)[::-1], count
    some = np.array([3, 1, 30])
    arrays = [values, flags, space]
    content = (
        Sent(array(values), some),
        Sent(array(flags)),
        Sent(array(space), events=True),
    )
    kept = [a.copy() for a in arrays]

    def forget() -> None:
        values[:], flags[:], space[:] = 5, True, -7

    pieces = delivered(of_message(Message(2, 0, 1, content)), forget)
    assert pieces == (1 if count < 500 else 4 if count == 2000 else PIECES)
    np.testing.assert_array_equal(values[some], kept[0][some])
    assert np.count_nonzero(values == 5) == 30
    np.testing.assert_array_equal(flags, kept[1])
    assert space[-1] == count
    np.testing.assert_array_equal(space[:count], kept[2][:count])


@pytest.mark.parametrize(("size", "pieces"), [(1000, 1), (200_000, PIECES)])
def test_long_messages_are_cut(size, pieces):
    values = np.arange(float(size))
    letter = of_message(Message(0, 0, 1, (Sent(array(values)),)))
    assert delivered(letter, lambda: values.fill(0)) == pieces
    np.testing.assert_array_equal(values, np.arange(float(size)))


def test_batches_arrive_as_many_steps_later():
    clock = brian2.Clock(dt=0.1 * brian2.ms)
    made = Batches(Program(clocks=[clock]))
    writer = SimpleNamespace(owner=SimpleNamespace(name="neurons"))
    made.add(array(np.zeros(11, np.int32)), writer, 0, (0, 1), 5)
    (batch,) = made.made
    growing = batch.collected.growing
    growing["unit"].variable.resize(1024)
    growing["step"].variable.resize(1024)
    growing["unit"].values()[:3], growing["step"].values()[:3] = [4, 7, 4], [10, 10, 12]
    batch.collected.length.values()[0] = 3

    def forget() -> None:
        batch.collected.length.values()[0] = 0
        batch.replayed.position.values()[0] = 9

    delivered(of_batch(batch, 0), forget)
    np.testing.assert_array_equal(batch.replayed.bins.values(), [15, 15, 17])
    np.testing.assert_array_equal(batch.replayed.indices.values(), [4, 7, 4])
    batch.replayed.position.values()[0] = 2
    assert [a.tolist() for a in expected(batch)] == [[12], [4]]
    assert [a.tolist() for a in collected(batch)] == [[], []]
