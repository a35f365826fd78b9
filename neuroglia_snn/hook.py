"""Brian2's hook for uncaught errors."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import TracebackType

from brian2.utils.logger import brian_excepthook

from neuroglia_snn.errors import UserError


def keep_hook(before: Callable) -> None:
    """Let uncaught errors be shown as they were before this package was imported.

    Brian2's hook asks to report every error to Brian2, and leaves its log in the temporary folder.
    Whoever has imported Brian2 before keeps that hook, but not for our errors.
    """
    if before is not brian_excepthook:
        sys.excepthook = before
        return

    @functools.wraps(before)
    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        shown = sys.__excepthook__ if issubclass(kind, UserError) else before
        shown(kind, error, trace)

    sys.excepthook = hook
