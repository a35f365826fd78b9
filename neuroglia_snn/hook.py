"""Brian2's hook for uncaught errors."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from types import TracebackType


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Let uncaught errors be shown as they were before, whatever is imported in this context.

    Brian2's hook, which it sets when it is imported, asks to report every error to Brian2, and leaves its
    log in the temporary folder.
    """
    before = sys.excepthook
    try:
        yield
    finally:
        sys.excepthook = before


def spare(ours: type[BaseException]) -> None:
    """Where Brian2's hook is in place, keep it, but not for errors of a class of ours."""
    before = sys.excepthook
    if before.__module__ != "brian2.utils.logger" or hasattr(before, "spares"):
        return

    @functools.wraps(before)
    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        shown = sys.__excepthook__ if issubclass(kind, ours) else before
        shown(kind, error, trace)

    hook.spares = ours  # type: ignore[attr-defined]
    sys.excepthook = hook
