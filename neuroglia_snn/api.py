"""The public functions: what the command line does, with Python's values and results in memory."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import xarray as xr

from neuroglia_snn import diagnostics, guard, mapping, reports, runs
from neuroglia_snn.checks import Finding
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments import carry_out, registry
from neuroglia_snn.language.quantities import as_settings
from neuroglia_snn.model import Model, as_model
from neuroglia_snn.noise import MAX_SEED
from neuroglia_snn.options import Options, as_flags
from neuroglia_snn.progress import Bars, wanted
from neuroglia_snn.results import Result
from neuroglia_snn.sweeps import Axis, Grid
from neuroglia_snn.sweeps import sweep as spread_out
from neuroglia_snn.sweeps.store import DATA

AnyModel = Model | str | os.PathLike[str]


def run(
    model: AnyModel,
    out: str | os.PathLike[str] | None = None,
    *,
    seed: int = 0,
    seeds: int = 1,
    backend: str = "auto",
    precision: str | None = None,
    threads: int = 1,
    workers: int = 1,
    images: Mapping[str, Any] | None = None,
    resize: bool = False,
    control: bool = False,
    fast_math: bool = False,
    resume: bool = False,
    force: bool = False,
    figures: str = "png",
    progress: bool | None = None,
    **own: Any,
) -> Result:
    """Run a model, and return its data, measures and figures.

    Parameters
    ----------
    model : Model, str or path
        A model, a name of the catalogue, or the path of a model file.
    out : path, optional
        The folder for ``summary.json``, ``data.nc`` and figures. Without it, nothing is written.
    seed : int
        The seed of noise, initial values and drawn images, from 0 to 2**32 - 1.
    seeds : int
        The number of runs, with ``seed``, ``seed + 1``, ..., from one build. Measures are then means over them.
    backend : str
        ``"auto"``, or a name that ``neuroglia doctor`` lists.
    precision : {"float64", "float32", "float", "fixed"}, optional
        The type of number in which the run computes. The default is the model's own precision.
    threads : int
        The number of threads of one run.
    workers : int
        The number of seeds that run side by side, each in a process. In a script, call this below
        ``if __name__ == "__main__":``.
    images : mapping, optional
        Images by the names that the model's stimuli use: paths, or arrays of 0 and 1 with the lattice's
        shape (rows, columns).
    resize : bool
        Whether to scale images to the lattice.
    control : bool
        Whether to run the experiment's control as well, which is then ``result.control``.
    fast_math : bool
        Whether nvcc compiles with ``-use_fast_math``.
    resume : bool
        Whether to go on with the interrupted run in ``out``.
    force : bool
        Whether to write over an earlier result in ``out``.
    figures : {"png", "svg", "pdf"}
        The format of the figures in ``out``.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown in a terminal or a notebook.
    **own
        Options of the model's experiment, such as ``no_astrocytes=True``.

    Returns
    -------
    Result
        The data, measures and figures, in memory.

    Raises
    ------
    UserError
        If something that was asked for cannot be done. The message is one sentence.
    KeyboardInterrupt
        After Ctrl-C. Its attribute ``result`` holds the data up to then, and a run with ``out`` can be resumed.

    Examples
    --------
    >>> import neuroglia_snn as ng
    >>> result = ng.load("noise_induced_excitability").with_settings({"model.duration": "5 ms"}).run(seed=1)
    >>> sorted(result.measures)[:2]
    ['mean_field_maximum', 'mean_field_minimum']
    """
    made = as_model(model)
    options = Options(
        backend=backend,
        precision=precision,
        seed=seed,
        threads=threads,
        seeds=seeds,
        workers=workers,
        resume=resume,
        fast_math=fast_math,
        overrides=made.settings,
        without=made.left_out,
        control=control,
        images=images or {},
        resize=resize,
        own=own,
    )
    if options.workers > 1:
        guard.leave_if_imported()
    with _bars(progress) as bars:
        result = runs.run(made.origin, _path("out", out), options, force, bars, figures)
    if result.interrupted_at is not None:
        where = "" if out is None else f"; resume=True goes on in {os.fspath(out)}"
        error = KeyboardInterrupt(f"interrupted at {result.interrupted_at * 1e3:.6g} ms{where}")
        error.result = result  # type: ignore[attr-defined]
        raise error
    return result


@contextlib.contextmanager
def _bars(progress: bool | None) -> Iterator[Bars | None]:
    if not (wanted() if progress is None else progress):
        yield None
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()


def sweep(
    model: AnyModel,
    over: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    seed: int = 0,
    seeds: int = 1,
    backend: str = "auto",
    precision: str | None = None,
    threads: int = 1,
    workers: int = 1,
    scheduler: str | None = None,
    images: Mapping[str, Any] | None = None,
    resize: bool = False,
    records: str | Sequence[str] = (),
    best: str | None = None,
    force: bool = False,
    figures: str = "png",
    progress: bool | None = None,
    **named: Any,
) -> xr.Dataset:
    """Run a model at every combination of settings, with one or several seeds each.

    Parameters
    ----------
    model : Model, str or path
        A model, a name of the catalogue, or the path of a model file.
    over : mapping, optional
        The values of each setting whose name has a dot: ``{"model.dt": ["1 us", "2 us"]}``.
    out : path, optional
        The folder for ``sweep.nc``, figures and ``summary.json``. An unfinished sweep in it is continued.
    seed, seeds : int
        The first seed of every point, and the number of seeds.
    backend, precision, threads, images, resize
        The same as for `run`.
    workers : int
        The number of processes on this machine. In a script, call this below
        ``if __name__ == "__main__":``.
    scheduler : str, optional
        The address of a Dask scheduler to use instead.
    records : str or sequence of str, optional
        Variables of each run's data (``"frames_U"``) to keep. They must have the same shape at all points.
    best : str, optional
        The measure that the figure in ``out`` shows.
    force : bool
        Whether to discard what ``out`` holds.
    figures : {"png", "svg", "pdf"}
        The format of the figure in ``out``.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown in a terminal or a notebook.
    **named
        The values of each parameter (numbers, quantities of Brian2, an array of them, or texts), and options
        of the model's experiment.

    Returns
    -------
    xarray.Dataset
        Every measure, with a dimension for each setting and one for ``seed``, and the records that were kept,
        with their own dimensions after these. A point that failed has NaN.

    Raises
    ------
    UserError
        If something that was asked for cannot be done, or if every point fails.
    KeyboardInterrupt
        After Ctrl-C. The same call goes on with a sweep in ``out``.
    """
    made = as_model(model)
    asked = Options(seed=seed, seeds=seeds, workers=workers)
    if asked.workers > 1:
        guard.leave_if_imported()
    kind = made.spec.experiment.get("kind")
    known = {option.name for option in registry.of_kind(kind).options}
    own = {name: value for name, value in named.items() if name in known}
    axes = {name: value for name, value in named.items() if name not in known}
    options = Options(
        backend=backend,
        precision=precision,
        threads=threads,
        overrides=made.settings,
        without=made.left_out,
        images=images or {},
        resize=resize,
        own=own,
    )
    grid = Grid((*_axes(over), *_axes(axes)), asked.seeds, asked.seed)
    kept = _names([records] if isinstance(records, str) else records)
    for what, text in (("scheduler", scheduler), ("best", best)):
        if not isinstance(text, (str, type(None))):
            raise UserError(f"{what} is a text, not a value of type {type(text).__name__}")
    with contextlib.ExitStack() as stack:
        folder = _path("out", out) or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="neuroglia-"))
        )
        bars = stack.enter_context(_bars(progress))
        summary = spread_out(
            made.origin,
            grid,
            folder,
            options,
            asked.workers,
            scheduler,
            best,
            force,
            bars.points() if bars else None,
            kept,
            figures,
        )
        if "interrupted" in summary:
            raise KeyboardInterrupt
        if summary["points"]["failed"] == summary["points"]["all"]:
            raise UserError(f"every point failed: {min(summary['failed'].values())}")
        data = xr.load_dataset(folder / DATA)
    return data.assign_attrs(title=summary["title"], command=summary["command"])


def _axes(over: Mapping[str, Any] | None) -> list[Axis]:
    if not isinstance(over, (Mapping, type(None))):
        raise UserError(
            "over is a mapping of values by setting, such as {'model.dt': ['1 us', '2 us']},"
            f" not a value of type {type(over).__name__}"
        )
    return [Axis(name, _texts(name, values)) for name, values in (over or {}).items()]


def _names(given: Sequence[str]) -> list[str]:
    """Names of records as a list."""
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
        raise UserError(f"records are names, such as 'frames_U', not {given!r}")
    return [*given]


def _path(name: str, value: str | os.PathLike[str] | None) -> Path | None:
    """A path that is given, or None."""
    if isinstance(value, (str, os.PathLike)) and not isinstance(value, Model):
        return Path(value)
    if value is None:
        return None
    raise UserError(
        f"{name} is the path of a file or folder, not a value of type {type(value).__name__}"
    )


def _required(name: str, value: str | os.PathLike[str]) -> Path:
    """A path that must be given."""
    path = _path(name, value)
    if path is None:
        raise UserError(f"{name} is the path of a file or folder, and must be given")
    return path


def _texts(name: str, values: Any) -> tuple[str, ...]:
    """Values of an axis as the texts that ``--over`` would have."""
    single = isinstance(values, (str, bytes, Mapping)) or getattr(values, "ndim", 1) == 0
    if single or not hasattr(values, "__iter__"):
        raise UserError(f"'{name}' is swept over several values: give a list or an array")
    found = tuple(as_settings({name: value})[name] for value in values)
    if not found or len(set(found)) < len(found):
        raise UserError(f"values of '{name}' are none, or the same")
    return found


def check(model: AnyModel) -> list[Finding]:
    """List everything that is wrong with a model, errors first.

    Parameters
    ----------
    model : Model, str or path
        A model, a name of the catalogue, or the path of a model file.

    Returns
    -------
    list of Finding
        Each has a ``severity`` (``"error"``, ``"warning"`` or ``"note"``), the place ``where`` it was found,
        and a ``message``. A file that cannot be read at all gives one finding.
    """
    return as_model(model).check()


def diff(a: AnyModel, b: AnyModel) -> list[str]:
    """List what differs between two models, in lines for each equation, parameter or setting.

    Parameters
    ----------
    a, b : Model, str or path
        The models, names of the catalogue, or paths of model files.

    Returns
    -------
    list of str
        Lines of the form ``- key: old`` and ``+ key: new``.

    Raises
    ------
    ModelError
        If one of the models cannot be read.
    """
    return as_model(a).diff(b)


def map(
    model: AnyModel,
    hardware: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    *,
    energy: bool | str | os.PathLike[str] | None = None,
    energy_steps: int = mapping.ENERGY_STEPS,
    seed: int = 0,
    duration: Any = None,
    namespace: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Place a model, or a Brian2 network, on neuromorphic hardware.

    The summary gives the cores, the memory, the messages and, if asked for, the energy.

    Parameters
    ----------
    model : Model, str, path or brian2.Network
        What to place. A network is run for ``duration`` on our loop, and left as it was.
    hardware : str or path
        ``"loihi2"``, ``"loihi1"`` or the path of a hardware file.
    out : path, optional
        The folder for ``summary.json``, a drawing of the cores and SANA-FE's files. Without it, nothing is
        written.
    force : bool
        Whether to write over an earlier result.
    energy : bool, str or path, optional
        Whether to work out energy and time with SANA-FE. True takes the prices of events from
        ``hardware``, and a name or path takes them from another hardware file.
    energy_steps : int
        The number of steps that are priced. They are the last of those that are observed.
    seed : int
        The seed of noise and initial values in the run that is observed.
    duration : quantity or seconds, optional
        The time for which a network is run, by default 100 ms. A model states its own duration.
    namespace : mapping, optional
        What the names in a network's equations stand for. By default they are looked up where this is called,
        as in Brian2.

    Returns
    -------
    dict
        The summary. Its ``fits`` says whether everything fits on the chip.

    Raises
    ------
    UserError
        If something that was asked for cannot be done.
    """
    chip = str(_required("hardware", hardware))
    if isinstance(energy, bool) or energy is None:
        prices = chip if energy else None
    else:
        prices = str(_required("energy", energy))
    if not isinstance(energy_steps, int) or energy_steps < 1:
        raise UserError(f"energy_steps is a number of steps of at least 1, not {energy_steps!r}")
    asked = Options(seed=seed)
    if not 0 <= asked.seed <= MAX_SEED:
        raise UserError(f"seed must be 0 to {MAX_SEED}, not {seed}")
    more: dict[str, Any] = {"energy": prices, "steps": energy_steps, "seed": asked.seed}
    folder = _path("out", out)
    if _is_network(model):
        from brian2.core.namespace import get_local_namespace

        length = _length(duration)
        names = get_local_namespace(1) if namespace is None else namespace
        return mapping.map_network(model, chip, length, folder, force, namespace=names, **more)
    if duration is not None:
        raise UserError("duration is of a Brian2 network: a model says its own (model.duration)")
    return mapping.map_to(as_model(model).document(), chip, {}, folder, force, **more)


def _length(duration: Any) -> float:
    """How long a network is run, in seconds."""
    from brian2 import Quantity, second

    try:
        length = 0.1 if duration is None else float(duration)
    except (TypeError, ValueError):
        length = 0.0
    if isinstance(duration, Quantity) and not duration.has_same_dimensions(second):
        length = 0.0
    if not 0 < length < float("inf"):
        raise UserError(f"duration is a time such as 100*ms, or seconds, not {duration!r}")
    return length


def _is_network(model: object) -> bool:
    """Whether this is a Brian2 network."""
    import brian2

    return isinstance(model, brian2.Network)


def reproduce(
    paper: str,
    out: str | os.PathLike[str],
    *,
    seed: int = 0,
    resume: bool = False,
    force: bool = False,
    figures: str = "png",
    progress: bool | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Reproduce a published paper, and write its numbers, tables and figures into a folder.

    Parameters
    ----------
    paper : str
        One of the papers that ``neuroglia reproduce --help`` lists.
    out : path
        The folder to write.
    seed : int
        The seed of everything random.
    resume : bool
        Whether to go on with an interrupted study in ``out``.
    force : bool
        Whether to write over an earlier result in ``out``.
    figures : {"png", "svg", "pdf"}
        The format of the figures.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown in a terminal or a notebook.
    **options
        The paper's own options, as ``neuroglia reproduce PAPER --help`` lists them (``quick=True``).

    Returns
    -------
    dict
        The summary, as in ``summary.json``.

    Raises
    ------
    UserError
        If there is no such paper or option, or if something that was asked for cannot be done.
    """
    folder = _required("out", out)
    parser = _Parser(add_help=False, allow_abbrev=False)
    registry.paper(paper).add_options(parser)
    known = vars(parser.parse_args([]))
    unknown = [name for name in options if name not in known]
    if unknown:
        raise UserError(f"'{paper}' has no option '{unknown[0]}' (it has: {', '.join(known)})")
    for name, value in options.items():
        if isinstance(value, (list, tuple)) and not isinstance(known[name], list):
            raise UserError(f"{name} is one value, not {value!r}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--figures")
    named = {"seed": seed, "resume": resume, "figures": figures}
    given = parser.parse_args(as_flags({**named, **options}))
    with _bars(progress) as bars:
        return carry_out.reproduce(paper, folder, given, force, bars)


class _Parser(argparse.ArgumentParser):
    """Reads a paper's options as its command does; a mistake is an error, and no end of the process."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def report(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Path:
    """Write the report of a run, sweep or reproduction, as one page that opens from disk.

    Parameters
    ----------
    folder : path
        A results folder with its ``summary.json``.
    out : path, optional
        The file to write, which ends in ``.html`` or ``.md``. By default it is ``report.html`` in the folder.
    force : bool
        Whether to write over an existing file.

    Returns
    -------
    path
        The file that was written.

    Raises
    ------
    ResultError
        If the folder holds no finished result, or if the file exists.
    """
    return reports.report(_required("folder", folder), _path("out", out), force)


def doctor() -> dict[str, Any]:
    """Say what is installed here, and which backends can run which models.

    Returns
    -------
    dict
        The versions and compilers, and for each backend the catalogue's models that it runs, or why it runs none.
    """
    return diagnostics.examine()
