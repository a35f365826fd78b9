"""Messages as bytes: what each holds, and in how many pieces it crosses a channel of Lava.

A channel carries arrays of one shape, and has room for several. How many events there are is not known before, so a
message with events is cut into pieces, of which as many are sent as it takes; and so is a long one, for the room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from neuroglia_snn.program.batches import Batch
from neuroglia_snn.program.program import Message, Sent

Send = Callable[[int, np.ndarray], None]
Receive = Callable[[int], np.ndarray]

#: Most pieces of a message, bytes of a piece with events, at least, and of a message without, from which on it is cut.
PIECES, _LEAST, _LONG = 8, 1024, 2**20
#: Bytes that say how long a message is.
_HEAD = 8


class Content(Protocol):
    """A part of a message; ``most`` is how many bytes it may take, ``varies`` whether it may take fewer."""

    most: int
    varies: bool

    def pack(self, room: np.ndarray) -> int:
        """Put the present values into bytes; how many they take."""

    def unpack(self, room: np.ndarray) -> int:
        """Take what is in bytes for the present values; how many these were."""


class Letter:
    """A message on its way: the port's number, and the bytes of a piece."""

    def __init__(self, number: int, contents: Sequence[Content]) -> None:
        self._number, self._contents = number, contents
        most = _HEAD + sum(_aligned(content.most) for content in contents)
        cut = most > _LONG or any(content.varies for content in contents)
        self.piece = max(_LEAST, _aligned(-(-most // PIECES))) if cut else most
        pieces = -(-most // self.piece)
        self._room = np.zeros(pieces * self.piece, np.uint8)
        self._head = self._room[:_HEAD].view(np.int64)

    def send(self, send: Send) -> None:
        """Send the present values."""
        used = _HEAD
        for content in self._contents:
            used += _aligned(content.pack(self._room[used:]))
        self._head[0] = used
        for first in range(0, used, self.piece):
            send(self._number, self._room[first : first + self.piece])

    def receive(self, receive: Receive) -> None:
        """Wait for values, and take them for the present ones."""
        room = receive(self._number)
        length = int(room[:_HEAD].view(np.int64)[0])
        if length > self.piece:
            self._room[: self.piece] = room
            for first in range(self.piece, length, self.piece):
                self._room[first : first + self.piece] = receive(self._number)
            room = self._room
        used = _HEAD
        for content in self._contents:
            used += _aligned(content.unpack(room[used:]))


def _aligned(size: int) -> int:
    return -(-size // 8) * 8


class _Values:
    """All values of an array, or chosen ones."""

    varies = False

    def __init__(self, sent: Sent) -> None:
        self._array, self._elements = sent.array, sent.elements
        count = sent.array.values().size if sent.elements is None else len(sent.elements)
        self.most = count * sent.array.dtype.itemsize

    def pack(self, room: np.ndarray) -> int:
        values, place = self._array.values(), room[: self.most].view(self._array.dtype)
        place[:] = values.ravel() if self._elements is None else values[self._elements]
        return self.most

    def unpack(self, room: np.ndarray) -> int:
        values, place = self._array.values(), room[: self.most].view(self._array.dtype)
        if self._elements is None:
            values[...] = place.reshape(values.shape)
        else:
            values[self._elements] = place
        return self.most


class _Events:
    """The events of a space of events, as it lists them: their number comes first."""

    varies = True

    def __init__(self, sent: Sent) -> None:
        self._array = sent.array
        self.most = sent.array.values().nbytes

    def pack(self, room: np.ndarray) -> int:
        values, place = self._array.values(), room[: self.most].view(self._array.dtype)
        count = int(values[-1])
        place[0], place[1 : count + 1] = count, values[:count]
        return (count + 1) * values.itemsize

    def unpack(self, room: np.ndarray) -> int:
        values = self._array.values()
        count = int(room[: values.itemsize].view(values.dtype)[0])
        size = (count + 1) * values.itemsize
        values[:count], values[-1] = room[:size].view(values.dtype)[1:], count
        return size


class _Batched:
    """The events of several steps: their number, their time steps, and their units."""

    varies = True

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.most = 8 + 12 * batch.most

    def pack(self, room: np.ndarray) -> int:
        steps, units = collected(self._batch)
        count, size = len(steps), 8 + 12 * len(steps)
        room[:8].view(np.int64)[0] = count
        room[8 : 8 + 8 * count].view(np.int64)[:] = steps
        room[8 + 8 * count : size].view(np.int32)[:] = units
        return size

    def unpack(self, room: np.ndarray) -> int:
        count = int(room[:8].view(np.int64)[0])
        size, replayed = 8 + 12 * count, self._batch.replayed
        replayed.bins.variable.values = room[8 : 8 + 8 * count].view(np.int64) + self._batch.late
        replayed.indices.variable.values = room[8 + 8 * count : size].view(np.int32).copy()
        replayed.position.values()[0] = 0
        return size


def collected(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Time steps and units of the events that a part has not sent yet."""
    length = int(batch.collected.length.values()[0])
    growing = batch.collected.growing
    return growing["step"].values()[:length], growing["unit"].values()[:length]


def expected(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Time steps and units of the events that have not happened yet in the part that they were sent to."""
    replayed, first = batch.replayed, int(batch.replayed.position.values()[0])
    return replayed.bins.values()[first:] - batch.late, replayed.indices.values()[first:]


def of_message(message: Message) -> Letter:
    """The letter of a message."""
    return Letter(
        message.number,
        [_Events(sent) if sent.events else _Values(sent) for sent in message.content],
    )


def of_batch(batch: Batch, number: int) -> Letter:
    """The letter of a batch, which has a number beside those of all messages."""
    return Letter(number, [_Batched(batch)])
