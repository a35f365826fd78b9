"""The state of a network in a file, from which its run goes on to the same bits."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2.core.variables import ArrayVariable, DynamicArrayVariable
from brian2.synapses.synapses import SynapticPathway
from brian2.utils.logger import get_logger

from neuroglia_snn.errors import ResultError
from neuroglia_snn.program.edges import keep, pending

logger = get_logger("brian2.devices.neuroglia")

_TIME, _PROGRAM = "time", "program"


class Kept:
    """A checkpoint in a folder: all arrays that a run may change, and the spikes under way."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "checkpoint.npz"
        self._digest: str | None = None
        self._failed = False

    def save(self, network: brian2.Network, digest: str) -> None:
        """Keep what the network holds between two time steps, in the place of what was kept before.

        Where that cannot be written, as on a full disk, what was kept before stays, and a warning says so
        the first time.
        """
        arrays = {f"array/{name}": v.get_value() for name, v in _variables(network)}
        arrays |= {f"spikes/{path.name}": pending(path) for path in _pathways(network)}
        arrays |= {_TIME: np.array(network.t_), _PROGRAM: np.array(digest)}
        try:
            self._write(arrays)
        except OSError as error:
            if not self._failed:
                logger.warn(
                    f"{self._path} cannot be written ({error.strerror or error}): the run goes on; one that is"
                    " interrupted and resumed goes on from the checkpoint before, or begins anew"
                )
            self._failed = True

    def _write(self, arrays: dict[str, Any]) -> None:
        """The file is whole and on the disk before it takes the place of the one before."""
        partial = self._path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self._path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def restore(self, network: brian2.Network) -> bool:
        """Give the network what was kept; whether anything was.

        Raises
        ------
        ResultError
            If that is of another network.
        """
        if not self._path.exists():
            return False
        try:
            with np.load(self._path, allow_pickle=False) as file:
                kept = dict(file)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ResultError(f"{self._path} cannot be read ({error}): start anew") from None
        variables, pathways = dict(_variables(network)), list(_pathways(network))
        names = {f"array/{name}" for name in variables} | {f"spikes/{p.name}" for p in pathways}
        if names | {_TIME, _PROGRAM} != kept.keys():
            raise self._other()
        for name, variable in variables.items():
            values = kept[f"array/{name}"]
            if isinstance(variable, DynamicArrayVariable):
                variable.resize(values.shape if values.ndim > 1 else len(values))
            elif values.shape != np.shape(variable.get_value()):
                raise self._other()
            variable.set_value(values)
        for path in pathways:
            keep(path, kept[f"spikes/{path.name}"])
        network.t_ = float(kept[_TIME])
        self._digest = str(kept[_PROGRAM])
        return True

    def require_same(self, digest: str) -> None:
        """Refuse to go on with another program than the one that was interrupted.

        Raises
        ------
        ResultError
        """
        if self._digest not in (None, digest):
            raise self._other()

    def _other(self) -> ResultError:
        return ResultError(
            f"{self._path.parent}: the interrupted run is of another version of neuroglia_snn or of"
            " another model: start anew with another --out or --force"
        )


def _variables(network: brian2.Network) -> Iterator[tuple[str, ArrayVariable]]:
    """Every array of the network's objects that may change, by the names of both."""
    for obj in network.sorted_objects:
        for variable in getattr(obj, "variables", {}).values():
            if not isinstance(variable, ArrayVariable) or variable.constant:
                continue
            if variable.owner is not None and variable.owner.name == obj.name:
                yield f"{obj.name}/{variable.name}", variable


def _pathways(network: brian2.Network) -> Iterator[Any]:
    return (obj for obj in network.sorted_objects if isinstance(obj, SynapticPathway))
