"""Files of an experiment that carries itself out: where it wrote them, and how they are kept elsewhere."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroglia_snn.errors import ResultError
from neuroglia_snn.results.folder import DATA, SUMMARY, prepare, write_summary


class Temporary:
    """A folder that goes with the last object that holds it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="neuroglia-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Written:
    """What an experiment wrote beside its summary.

    Attributes
    ----------
    folder : path
        Where it lies, from the root.
    times : times of last change in ns, by the names of its files in the folder
    named : those names by the paths that stand in the summary
    held : Temporary or None
        The folder, where nobody asked for one.
    """

    folder: Path
    times: Mapping[str, int]
    named: Mapping[str, str]
    held: Temporary | None = None

    @classmethod
    def by(cls, summary: Mapping[str, Any], folder: Path, held: Temporary | None) -> Written:
        """The files that a summary names, and ``data.nc``; everything in a temporary folder."""
        named = {
            text: str(Path(text).relative_to(folder))
            for text in _texts(summary)
            if Path(text).is_relative_to(folder) and os.path.isfile(text)
        }
        names = {*named.values(), DATA}
        if held is not None:
            names |= {str(p.relative_to(folder)) for p in folder.rglob("*")} - {SUMMARY}
        files = {name: folder / name for name in sorted(names) if (folder / name).is_file()}
        times = {name: path.stat().st_mtime_ns for name, path in files.items()}
        return cls(folder.absolute(), times, named, held)

    def copy(self, summary: Mapping[str, Any], folder: Path, force: bool) -> None:
        """Copy the files into another folder, with a summary that names them there.

        Raises
        ------
        ResultError
            If they are no longer there, or `prepare` refuses the folder.
        """
        for name, time in self.times.items():
            path = self.folder / name
            if not path.is_file() or path.stat().st_mtime_ns != time:
                raise ResultError(f"{path} is no longer as this run wrote it: run the model again")
        if folder.resolve() == self.folder.resolve() and force:
            return  # it is there already
        prepare(folder, force, self.times)
        try:
            for name in self.times:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.folder / name, folder / name)
        except OSError as error:
            raise ResultError(f"{folder / name} cannot be written ({error.strerror})") from None
        paths = {text: str(folder / name) for text, name in self.named.items()}
        write_summary(_replaced(summary, paths), folder)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(part, texts) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(part, texts) for part in value]
    return texts.get(value, value) if isinstance(value, str) else value
