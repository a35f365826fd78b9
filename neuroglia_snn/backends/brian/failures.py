"""What went wrong inside Brian2, as one of our errors."""

from __future__ import annotations

import brian2

from neuroglia_snn.errors import BackendError, UserError


def root_cause(error: BaseException) -> BaseException:
    """Brian2 wraps errors of its objects; the first of ours, or the innermost with its text."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return cause
        if cause.__cause__ is None and cause.__context__ is None:
            break
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, brian2.BrianObjectException) and cause is not None:
        return BackendError(f"Brian2 cannot run this model: {cause}")
    return error
