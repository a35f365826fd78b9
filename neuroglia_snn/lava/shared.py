"""Memory that processes share without a name: made before they are forked, gone with the last of them."""

from __future__ import annotations

import math
import mmap
import traceback

import numpy as np

#: Longest traceback that is kept, in bytes.
_LONGEST = 20_000


def array(shape: tuple[int, ...], dtype: type | np.dtype) -> np.ndarray:
    """An array of zeros that forked processes read and write."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype, math.prod(shape)).reshape(shape)


class Report:
    """What processes say while they run: how far they are, and why one failed.

    Attributes
    ----------
    step : int array, (1,)
        Step of the whole that has been reached.
    """

    def __init__(self) -> None:
        self.step = array((1,), np.int64)
        self._text = array((_LONGEST,), np.uint8)
        self._length = array((1,), np.int64)

    def fail(self, error: BaseException) -> None:
        """Keep an error's traceback, unless one is kept already."""
        text = "".join(traceback.format_exception(error)).encode()[-_LONGEST:]
        if not self._length[0]:
            self._text[: len(text)] = np.frombuffer(text, np.uint8)
            self._length[0] = len(text)

    @property
    def failure(self) -> str:
        """The traceback, or nothing."""
        return self._text[: self._length[0]].tobytes().decode(errors="replace")
