"""Movies of lattices."""

from __future__ import annotations

import contextlib
import math
from numbers import Real
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.animation import FFMpegWriter, PillowWriter

from neuroglia_snn.errors import ResultError, UserError
from neuroglia_snn.results import style


def write(data: xr.Dataset, variable: str, path: Path, fps: int, cmap: str) -> Path:
    """See `neuroglia_snn.results.result.Plots.movie`."""
    if "replica" in data.dims:
        raise UserError(
            f"a movie shows one run, not {data.sizes['replica']}: run the model with one seed, such as"
            f" seed={int(data['replica'][0])}"
        )
    lattices = [str(n) for n, v in data.data_vars.items() if _of_lattice(v)]
    if variable not in lattices:
        has = ", ".join(lattices) or "none: record a lattice's variable"
        raise UserError(f"'{variable}' is no record of a lattice over time (there are {has})")
    writers: dict[str, Any] = {".gif": PillowWriter, ".mp4": FFMpegWriter}
    if path.suffix not in writers:
        raise UserError(f"a movie ends in {' or '.join(writers)}, not {path.name}")
    if not isinstance(fps, Real) or not (1 <= fps < math.inf):
        raise UserError(f"fps is a number of frames a second from 1 on, not {fps!r}")
    if cmap not in [*matplotlib.colormaps]:
        raise UserError(f"cmap is the name of a colour map of matplotlib, not {cmap!r}")
    writer = writers[path.suffix]
    if not writer.isAvailable():
        raise UserError(f"{path.name} needs ffmpeg, which is not installed: write a .gif")
    values = data[variable]
    time = values[values.dims[0]]
    figure, axis = style.subplots(1, 1, (4.4, 4))
    lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
    image = axis.imshow(values[0], cmap=cmap, vmin=lowest, vmax=highest, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    unit = values.attrs.get("units", "1")
    figure.colorbar(
        image, ax=axis, shrink=0.8, label=variable + ("" if unit == "1" else f" ({unit})")
    )
    made = writer(fps=fps)
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    try:
        with made.saving(figure, str(partial), dpi=100):
            for number in range(len(values)):
                image.set_data(values[number])
                axis.set_title(f"t = {float(time[number]):.5g} ms")
                made.grab_frame()
        partial.replace(path)
    except (OSError, CalledProcessError) as error:
        why = error.strerror or error if isinstance(error, OSError) else "ffmpeg fails"
        raise ResultError(f"{path} cannot be written ({why})") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return path


def _of_lattice(values: xr.DataArray) -> bool:
    return values.ndim == 3 and str(values.dims[0]).startswith("time_") and len(values) > 1
