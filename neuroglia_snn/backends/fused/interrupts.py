"""Ctrl-C in a run that can stop readably."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(stop: Callable[[], bool]) -> Iterator[None]:
    """Let the first interrupt call ``stop``; the next one, or one that it does not heed, is as usual.

    Only in the main thread, which alone is told of interrupts, and where they are not ignored.
    """
    before = signal.getsignal(signal.SIGINT)
    heeded = before not in (None, signal.SIG_IGN)
    if not heeded or threading.current_thread() is not threading.main_thread():
        yield
        return

    def once(number, frame) -> None:
        signal.signal(signal.SIGINT, before)
        if not stop():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
