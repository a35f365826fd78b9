"""Work that takes stages and keeps finished parts: where it is done, and what it gives."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from neuroglia_snn import checkpoint
from neuroglia_snn.errors import ResultError

if TYPE_CHECKING:
    from neuroglia_snn.backends.base import Progress

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Section:
    """A part of a study that reads on its own: what was done, what came out, how to do it again.

    Attributes
    ----------
    title, text : str
    figures : list of paths
    table : (columns, rows) of texts, or None
    values : the numbers, for the summary's ``results``
    """

    title: str
    text: str
    figures: Sequence[Path]
    table: tuple[Sequence[str], Sequence[Sequence[str]]] | None
    values: Mapping[str, float | int | None]

    def describe(self, commands: Sequence[str]) -> dict[str, object]:
        """As the summary has it, with the commands that repeat it."""
        return {
            "title": self.title,
            "text": self.text,
            "figures": [str(path) for path in self.figures],
            "table": self.table and {"columns": [*self.table[0]], "rows": [*self.table[1]]},
            "commands": [*commands],
        }


@dataclass(frozen=True)
class Work:
    """Where a study works: its results folder, its progress, and the parts it need not do again."""

    folder: Path
    progress: Callable[[str], Progress] | None = None

    def watch(self, label: str) -> Progress:
        """The callback that shows the progress of one stage: (fraction done, model time in s)."""
        return self.progress(label) if self.progress else _unseen

    def part(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays of a finished part of the work, computed where an interrupted run had not.

        ``name`` is a file name; it must say all that tells one part from another. The file appears
        only when complete, so a kill at any moment loses at most the part in hand.
        """
        path = self.folder / checkpoint.FOLDER / "parts" / f"{name}.npz"
        if path.exists():
            return _stored(path)
        arrays = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        partial.replace(path)
        return arrays


def _stored(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except Exception as error:  # a damaged archive raises a dozen kinds of errors
        raise ResultError(
            f"{path} is no part of this study ({type(error).__name__}): remove it, or start anew"
        ) from None


def _unseen(fraction: float, model_time: float) -> None:
    """Progress that nobody watches."""


class Paper(Protocol):
    """A module that reproduces a paper, found by an entry point of the group ``neuroglia_snn.papers``.

    Heavy packages are imported inside its functions. ``TITLE`` says in one line what `reproduce` does;
    ``add_options`` adds its flags to the command line's parser (``--out --seed --resume --force --json
    --quiet`` are there already).
    """

    TITLE: str

    def add_options(self, parser: argparse.ArgumentParser) -> None: ...

    def identity(self, options: argparse.Namespace) -> dict:
        """Check the options and the data; give all that the numbers depend on.

        Raises
        ------
        UserError
        """

    def reproduce(self, options: argparse.Namespace, work: Work) -> dict:
        """Carry the study out; give what the summary shall hold, ``results`` and ``figures`` too.

        Raises
        ------
        UserError
        """
