"""Every error the package raises on purpose, on one page.

A `UserError` is the user's to mend: its message is one sentence that says what is wrong, where, and
what would be right. The command line prints it without a traceback and exits with status 2.
"""

from __future__ import annotations

from neuroglia_snn import hook


def printable(text: str) -> str:
    """A text for people without what steers a terminal: all but line ends by their escapes."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def shown(text: object, limit: int = 100) -> str:
    """A piece of a user's file as a message may quote it: on one line, printable, not too long."""
    safe = printable(" ".join(str(text).split()))
    return safe if len(safe) <= limit else f"{safe[: limit - 3]}..."


class UserError(Exception):
    """Something that the user wrote or asked for cannot be done.

    The message is one sentence, which says what is wrong, where, and what would be right.
    """

    def __init__(self, *arguments: object) -> None:
        hook.spare(UserError)
        super().__init__(*arguments)


class CatalogError(UserError):
    """A model or hardware file cannot be found."""


class ModelError(UserError):
    """A model file is wrong; the message starts with ``file:line:`` where a line is known."""


class ImageError(UserError):
    """An image cannot be used as a binary stimulus."""


class DataError(UserError):
    """A data set cannot be found or read."""


class ResultError(UserError):
    """A result folder or file cannot be read or may not be written."""


class BackendError(UserError):
    """A backend cannot run this model, or a program that it needs is missing."""


class DeviceLost(BackendError):
    """A device has failed within a run, and the values that it had are lost."""


class NumericalError(UserError):
    """The integration produced NaN or overflowed."""
