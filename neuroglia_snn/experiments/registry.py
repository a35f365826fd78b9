"""Which experiments, papers, measures and figures there are: installed ones, and those of this session."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.base import TYPES, Experiment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroglia_snn.experiments.work import Paper
    from neuroglia_snn.results import Result

EXPERIMENTS, PAPERS = "neuroglia_snn.experiments", "neuroglia_snn.papers"

#: Numbers and pictures that the user adds to every run of this session, by name.
MEASURES: dict[str, Callable[[Result], Any]] = {}
FIGURES: dict[str, Callable[[Result], Figure | None]] = {}
#: Files that the user named, and their experiments.
FILES: list[Path] = []
_OWN: dict[str, type[Experiment]] = {}
#: Names of modules of such files begin so.
_MODULE = "_neuroglia_experiment_"

Function = TypeVar("Function", bound=Callable[..., Any])


def measure(function: Function) -> Function:
    """Add a measure to every run of this session.

    Use it as a decorator, in a notebook or in the file of ``--experiment``.

    Parameters
    ----------
    function : callable
        It receives the `Result` of a run, and returns a number, a mapping of numbers by name, or None. The
        function's name is the name of the measure.

    Returns
    -------
    callable
        The same function.

    Examples
    --------
    >>> import neuroglia_snn as ng
    >>> @ng.measure
    ... def mean_calcium(result):
    ...     return float(result.data["astrocyte_Ca"].mean())
    """
    MEASURES[function.__name__] = function
    return function


def figure(function: Function) -> Function:
    """Add a figure to every run of this session.

    Use it as a decorator, in a notebook or in the file of ``--experiment``.

    Parameters
    ----------
    function : callable
        It receives the `Result` of a run, and returns a matplotlib figure, or None if there is nothing to draw.
        The function's name is the name of the figure.

    Returns
    -------
    callable
        The same function.

    Raises
    ------
    UserError
        If ``result.plot`` cannot have the name.
    """
    name = function.__name__
    if name == "movie" or name.startswith("_") or not name.isidentifier():
        raise UserError(f"a figure named '{name}' cannot be had as result.plot.{name}: rename it")
    FIGURES[name] = function
    return function


def first_paragraph(function: Callable[..., Any]) -> str:
    """What a function's documentation begins with, on one line; empty where it has none."""
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())


#: Of what every run with recorded events measures.
_RATE = {
    "*_rate_Hz": "recorded events of a unit in a second of model time, mean over the population's units"
}


def definitions(of: Experiment, names: Iterable[str]) -> dict[str, str]:
    """What the measures of these names are, of those that say so.

    The user's measures say it by the first paragraph of their documentation.
    """
    own = {name: first_paragraph(function) for name, function in MEASURES.items()}
    known = {**own, **of.definitions, **_RATE}
    found = {
        name: next((text for key, text in known.items() if fnmatch.fnmatchcase(name, key)), "")
        for name in names
    }
    return {name: text for name, text in found.items() if text}


def experiment(found: type[Experiment]) -> type[Experiment]:
    """Add an experiment to this session, so that model files may name its ``kind``.

    Use it as a decorator in a notebook. In the file of ``--experiment``, every such class is added by itself.

    Parameters
    ----------
    found : type
        A class that derives from `Experiment`.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    UserError
        If the class has no kind, if its kind is installed already, or if it has options that no experiment may have.
    """
    if not (inspect.isclass(found) and issubclass(found, Experiment)):
        raise UserError("an experiment is a class of neuroglia_snn.Experiment")
    if not found.kind:
        raise UserError(f"class {found.__name__} states no kind")
    if found.kind in _installed(EXPERIMENTS):
        raise UserError(f"class {found.__name__}: there is an experiment '{found.kind}' already")
    _require_options(found)
    _require_alike(found)
    _OWN[found.kind] = found
    return found


@functools.cache
def _installed(group: str) -> Mapping[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=group))}


def kinds() -> list[str]:
    """Kinds of experiments, as ``[experiment] kind`` names them."""
    return sorted({*_installed(EXPERIMENTS), *_OWN})


def of_kind(kind: str | None) -> Experiment:
    """The experiment of a kind; of None, a plain simulation.

    Raises
    ------
    UserError
        If there is none of this kind, or its plug-in cannot be loaded.
    """
    if kind is None:
        return Experiment()
    if kind in _OWN:
        return _OWN[kind]()
    if kind not in _installed(EXPERIMENTS):
        raise UserError(f"no experiment '{kind}' (there are {', '.join(kinds())})")
    found = _loaded(_installed(EXPERIMENTS)[kind])
    if not (inspect.isclass(found) and issubclass(found, Experiment)):
        raise UserError(f"the plug-in '{kind}' is no class of neuroglia_snn.experiments.Experiment")
    _require_options(found)
    return found()


#: Names that a run, a sweep or a command has for something else.
_TAKEN = {
    *(
        "seed",
        "seeds",
        "replicas",
        "backend",
        "precision",
        "threads",
        "workers",
        "resume",
        "fast_math",
    ),
    *("overrides", "set", "without", "control", "images", "image", "resize", "own", "out", "force"),
    *("figures", "progress", "json", "quiet", "experiment", "model", "over", "record", "records"),
    *("best", "scheduler", "to", "device", "help"),
}


def _require_options(found: type[Experiment]) -> None:
    """Refuse a class whose options have a type or a name that none may have."""
    for option in found.options:
        if option.type not in TYPES:
            known = ", ".join(kind.__name__ for kind in TYPES)
            raise UserError(f"{found.__name__}: option '{option.name}' is of type {known}")
        if option.name in _TAKEN or not option.name.isidentifier():
            raise UserError(f"{found.__name__}: an option cannot be called '{option.name}'")


def _require_alike(found: type[Experiment]) -> None:
    """Refuse options that another experiment has in another type: the command line has one flag for both."""
    for kind in kinds():
        for other in of_kind(kind).options if kind != found.kind else ():
            for option in found.options:
                if (option.name, option.flag) == (
                    other.name,
                    other.flag,
                ) and option.type != other.type:
                    raise UserError(
                        f"{found.__name__}: option '{option.name}' has another type in the experiment"
                        f" '{kind}': choose another name"
                    )


def papers() -> list[str]:
    """Names of the papers that can be reproduced."""
    return list(_installed(PAPERS))


def paper(name: str) -> Paper:
    """The module that reproduces a paper.

    Raises
    ------
    UserError
        If there is none of this name.
    """
    if name not in _installed(PAPERS):
        raise UserError(f"no paper '{name}' to reproduce (there are {', '.join(papers())})")
    return _loaded(_installed(PAPERS)[name])


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise UserError(f"the plug-in '{point.name}' cannot be loaded ({error})") from None


def load_file(path: str | os.PathLike[str]) -> list[str]:
    """Run a Python file of the user's own, and take the experiments that it defines.

    Its `measure` and `figure` decorators take effect, too. Only a user names such a file; a model file
    cannot.

    Returns
    -------
    list of str
        The kinds of its experiments.

    Raises
    ------
    UserError
        If the file cannot be read, or ends in an error.
    """
    path = Path(path)
    if path.suffix != ".py" or not path.is_file():
        raise UserError(f"--experiment takes a Python file, and {path} is none")
    name = f"{_MODULE}{path.stem}"
    made = importlib.util.spec_from_file_location(name, path.resolve())
    assert made is not None and made.loader is not None
    module = importlib.util.module_from_spec(made)
    sys.modules[name] = module
    try:
        made.loader.exec_module(module)
    except Exception as error:
        line = _line_in(path, error)
        raise UserError(f"{path}{line}: {type(error).__name__}: {error}") from error
    found = [
        one
        for one in vars(module).values()
        if inspect.isclass(one) and issubclass(one, Experiment) and one.__module__ == name
    ]
    for one in found:
        try:
            experiment(one)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    if path.resolve() not in FILES:
        FILES.append(path.resolve())
    return sorted(one.kind for one in found)


def own_experiments() -> dict[str, type[Experiment]]:
    """Experiments of this session that no file of the user's own holds."""
    return {kind: one for kind, one in _OWN.items() if not one.__module__.startswith(_MODULE)}


def own_measures() -> dict[str, Callable[[Result], Any]]:
    """Measures of this session that no file of the user's own holds."""
    return {n: f for n, f in MEASURES.items() if not f.__module__.startswith(_MODULE)}


@dataclass(frozen=True)
class Session:
    """What a session has beside what is installed: measures, figures and experiments by name, and files."""

    measures: Mapping[str, Callable[[Result], Any]] = field(default_factory=dict)
    figures: Mapping[str, Callable[[Result], Figure | None]] = field(default_factory=dict)
    experiments: Mapping[str, type[Experiment]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def session() -> Session:
    """What this session has now."""
    return Session(dict(MEASURES), dict(FIGURES), dict(_OWN), tuple(FILES))


@contextlib.contextmanager
def within(other: Session) -> Iterator[None]:
    """In this context, have what another session has and nothing else."""
    before = session()
    _have(other)
    try:
        yield
    finally:
        _have(before)


def _have(wanted: Session) -> None:
    pairs: list[tuple[dict, Mapping]] = [
        (MEASURES, wanted.measures),
        (FIGURES, wanted.figures),
        (_OWN, wanted.experiments),
    ]
    for held, by_name in pairs:
        held.clear()
        held.update(by_name)
    FILES[:] = wanted.files


def _line_in(path: Path, error: BaseException) -> str:
    """``:12``, the last line of the file that an error came through."""
    found, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path.resolve()):
            found = f":{trace.tb_lineno}"
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == str(path.resolve()):
        found = f":{error.lineno}"
    return found
