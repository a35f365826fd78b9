"""What went wrong inside Brian2, as one of our errors."""

from __future__ import annotations

from collections.abc import Iterator

import brian2

from neuroglia_snn.errors import BackendError, UserError


def root_cause(error: BaseException) -> BaseException:
    """Brian2 wraps errors of its objects; the first of ours, or the innermost that says something."""
    causes = list(_causes(error))
    ours = next((cause for cause in causes if isinstance(cause, UserError)), None)
    if ours is not None:
        return ours
    if isinstance(error, brian2.BrianObjectException):
        said = [text for cause in causes if (text := _text(cause))]
        return BackendError(f"Brian2 cannot run this model: {said[-1]}")
    return error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, the innermost last."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _text(error: BaseException) -> str:
    """What an error says; a KeyError quotes its text otherwise."""
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error).strip()
