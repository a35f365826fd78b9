# PYTHON_ARGCOMPLETE_OK
"""The command line: ``neuroglia list | show | check | copy | diff | run | build | export | import |
sweep | map | hardware | reproduce | report | doctor``.

Exit status: 0 done, 1 our error, 2 the user's mistake, 3 a network that does not fit on its hardware,
130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroglia_snn import __version__, experiments
from neuroglia_snn.errors import ResultError, UserError, printable
from neuroglia_snn.options import Options, overrides
from neuroglia_snn.progress import Bars

if TYPE_CHECKING:
    from neuroglia_snn.model import Model

_bars = Bars()
_MODEL = "a catalogue name (see `neuroglia list`) or a .toml file"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the ``neuroglia`` script."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "_ARGCOMPLETE" in os.environ:
        _complete(os.environ.get("COMP_LINE", "").split()[1:])
    try:
        arguments = _parser(words).parse_args(words)
        from neuroglia_snn.backends.brian.quiet import hush

        hush()
        return arguments.command(arguments) or 0
    except UserError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _complete(words: Sequence[str]) -> None:
    """Answer a shell that asks how ``words`` may go on, and end."""
    import argcomplete

    argcomplete.autocomplete(_parser(words, load=False))


def _models(prefix: str, **_: Any) -> list[str]:
    """Names that a model may have: those of the catalogue, and model files."""
    from neuroglia_snn.catalog import files

    return [*files.names("models"), *map(str, Path().glob(f"{prefix}*.toml"))]


def _say(text: str) -> None:
    """A line of its own on stderr, below any progress bar."""
    _bars.close()
    print(f"neuroglia: {printable(text)}", file=sys.stderr)


@dataclass(frozen=True)
class _Command:
    """A command: what it does, its arguments, an example, and the function that carries it out."""

    text: str
    arguments: Callable[[argparse.ArgumentParser], None]
    example: str
    function: Callable[[argparse.Namespace], int | None]


#: Commands that take a file of experiments.
_WITH_EXPERIMENTS = ("run", "sweep", "export", "show", "check", "map", "build")


def _parser(words: Sequence[str], load: bool = True) -> argparse.ArgumentParser:
    """The parser; only the command that ``words`` begin with has its arguments.

    ``load`` says whether a file of the user's own may be run for the flags of its experiments.
    """
    parser = argparse.ArgumentParser(
        prog="neuroglia",
        description="Networks of neurons and glia from one equation file.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"neuroglia_snn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), None)
    if load and chosen in _WITH_EXPERIMENTS:
        _load_experiments(words)
    for name, command in _COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.text,
            description=command.text[0].upper() + command.text[1:] + ".",
            epilog=f"example: {command.example}",
            allow_abbrev=False,
        )
        sub.set_defaults(command=command.function)
        if name == chosen:
            command.arguments(sub)
    return parser


def _load_experiments(words: Sequence[str]) -> None:
    """Load the files of ``--experiment``, whose experiments may take flags of their own."""
    before = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    _add_experiment(before)
    for path in before.parse_known_args(words)[0].experiment:
        experiments.load_file(path)


# ----------------------------------------------------------------------- arguments


def _add_model(parser: argparse.ArgumentParser) -> None:
    action = parser.add_argument("model", metavar="MODEL", help=_MODEL)
    action.completer = _models  # type: ignore[attr-defined]


def _add_json(parser: argparse.ArgumentParser, what: str = "print the summary on stdout") -> None:
    parser.add_argument("--json", action="store_true", help=what)


def _add_out(parser: argparse.ArgumentParser, default: str, metavar: str = "DIR") -> None:
    what = "results folder" if metavar == "DIR" else "file"
    parser.add_argument("--out", type=Path, metavar=metavar, help=f"{what} (default: {default})")


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="write over an earlier result")


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter (sigma2=0.1) or any key (model.dt=0.001ms); may be repeated",
    )


def _add_fast_math(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fast-math",
        action="store_true",
        help="nvcc's -use_fast_math: quicker, less exact (cuda, fused-cuda; off by default)",
    )


def _add_seed(parser: argparse.ArgumentParser, of: str) -> None:
    parser.add_argument("--seed", type=int, default=0, help=f"seed of {of} (default 0)")


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--experiment",
        action="append",
        type=Path,
        default=[],
        metavar="FILE.py",
        help="a Python file of your own with experiments, measures and figures, which is run; may be"
        " repeated",
    )


def _add_simulation(parser: argparse.ArgumentParser) -> None:
    """What `run` and `sweep` have in common."""
    _add_set(parser)
    parser.add_argument(
        "--backend",
        default="auto",
        help="fused, cpp, numpy, cuda, fused-cuda, lava or lava-messages; auto (default) is fused",
    )
    parser.add_argument(
        "--precision",
        help="float64, float32 (of lattices, on fused and fused-cuda) or fixed (fused, fused-cuda, lava, lava-messages);"
        " default: the model's",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one run (default 1)")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="POPULATION",
        help="leave a population and its projections out; may be repeated",
    )
    _add_experiment(parser)
    _add_own(parser)
    _add_json(parser)
    _add_quiet(parser)


def _add_own(parser: argparse.ArgumentParser) -> None:
    """Images, and the flags that experiments take beside those of every run."""
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="an image that the model's stimuli show: .png, .npy or text of 0 and 1; may be repeated",
    )
    parser.add_argument("--resize", action="store_true", help="scale images to the lattice")
    taken: set[str] = set()
    for kind in experiments.kinds():
        group = None
        for option in experiments.of_kind(kind).options:
            if option.name in taken:
                continue
            taken.add(option.name)
            group = group or parser.add_argument_group(f"experiment '{kind}'")
            flags = [option.flag, *option.spellings]
            dest = f"own {option.name}"
            if option.type is bool:
                group.add_argument(*flags, dest=dest, action="store_true", help=option.about)
            else:
                image = option.type is experiments.Image
                group.add_argument(
                    *flags,
                    dest=dest,
                    type=Path if image else option.type,
                    metavar=option.metavar or ("IMG" if image else "VALUE"),
                    help=option.about,
                )


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    _add_out(parser, "MODEL-run")
    _add_force(parser)
    _add_simulation(parser)
    _add_fast_math(parser)
    _add_seed(parser, "noise and initial values")
    parser.add_argument(
        "--seeds",
        "--replicas",
        type=int,
        default=1,
        metavar="N",
        help="N runs from one build, with seeds SEED, SEED + 1, ... (default 1)",
    )
    parser.add_argument("--workers", type=int, default=1, help="runs side by side (default 1)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the interrupted run in --out (fused)"
    )
    parser.add_argument(
        "--control", action="store_true", help="also run the experiment's control, for the figure"
    )
    _add_figures(parser)


def _add_figures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--figures", default="png", metavar="FORMAT", help="png (default), svg or pdf"
    )


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="what --set takes, with values A,B,C or START:STOP:COUNT; may be repeated",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds of every point")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    _add_out(parser, "MODEL-sweep; a sweep in it is continued")
    parser.add_argument(
        "--resume", action="store_true", help="only continue: there must be a sweep in --out"
    )
    parser.add_argument("--force", action="store_true", help="discard the sweep in --out")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes on this machine (default 1)"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler to use instead, such as tcp://host:8786",
    )
    parser.add_argument(
        "--best", metavar="MEASURE", help="the measure to draw (default: the first)"
    )
    _add_figures(parser)
    parser.add_argument(
        "--record",
        action="append",
        default=[],
        metavar="NAME",
        help="a variable of each run's data (RECORD_VARIABLE) to keep in sweep.nc; may be repeated",
    )
    _add_simulation(parser)


def _add_build(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    _add_set(parser)
    parser.add_argument(
        "--backend",
        default="cuda",
        choices=["cuda", "fused-cuda"],
        help="cuda (brian2cuda, the default) or fused-cuda",
    )
    # A build never runs the program; the flag stays for commands that name it.
    parser.add_argument("--no-run", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--arch",
        metavar="sm_NN",
        help="GPU architecture, such as sm_90 (default: that of the GPU here)",
    )
    _add_fast_math(parser)
    _add_experiment(parser)
    _add_out(parser, "MODEL-BACKEND")
    _add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="print no progress")


def _add_export(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument(
        "--to", choices=["brian2", "nir"], required=True, help="the format to write"
    )
    parser.add_argument(
        "--device",
        choices=["runtime", "cpp_standalone", "cuda_standalone"],
        default="runtime",
        help="Brian2's device that the script chooses (default runtime)",
    )
    parser.add_argument(
        "--extension",
        action="store_true",
        help="nir: write what it has no node for as nodes that no other reader knows",
    )
    _add_set(parser)
    _add_out(parser, "MODEL.py, with arrays in the .npz file beside it, or MODEL.nir", "FILE")
    _add_force(parser)
    _add_seed(parser, "Brian2's random numbers, and of drawn images and connections")
    _add_experiment(parser)
    _add_own(parser)
    _add_json(parser)


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a Brian2 script (.py), which is run up to its first run(), or a NIR graph (.nir)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the model file (.toml); arrays go to the .npz file beside it",
    )
    parser.add_argument(
        "--inputs",
        type=Path,
        metavar="NPZ",
        help="nir: the input of input nodes, arrays (step, channel) by their names",
    )
    parser.add_argument(
        "--dt", metavar="TIME", help="nir: the step (default: the file's, else 0.1 ms)"
    )
    parser.add_argument(
        "--duration",
        metavar="TIME",
        help="nir: the duration of the run (default: that of the inputs)",
    )
    _add_force(parser)
    _add_json(parser)


def _add_map(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    _add_set(parser)
    parser.add_argument(
        "--hardware",
        required=True,
        metavar="NAME",
        help="loihi2, loihi1 or a hardware file (.toml); `neuroglia hardware list`",
    )
    parser.add_argument(
        "--energy",
        nargs="?",
        const="",
        metavar="NAME",
        help="energy and time by SANA-FE, from what events cost in a hardware file (default: that of --hardware)",
    )
    parser.add_argument(
        "--energy-steps",
        type=int,
        default=100,
        metavar="N",
        help="steps that are priced, the last of the observed ones (default 100)",
    )
    _add_seed(parser, "noise and initial values of the run that is observed")
    _add_experiment(parser)
    _add_out(parser, "none; the summary is printed")
    _add_force(parser)
    _add_json(parser)


def _add_hardware(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    listing = actions.add_parser(
        "list", help="list the targets of the catalogue", allow_abbrev=False
    )
    _add_json(listing, "as JSON")
    copying = actions.add_parser(
        "copy", help="copy a hardware file, to edit it", allow_abbrev=False
    )
    copying.add_argument("name", metavar="NAME", help="loihi2, loihi1 or a hardware file (.toml)")
    _add_out(copying, "NAME.toml", "FILE")


def _add_papers(parser: argparse.ArgumentParser) -> None:
    papers = parser.add_subparsers(required=True, metavar="PAPER", dest="paper")
    for name in experiments.papers():
        paper = experiments.paper(name)
        sub = papers.add_parser(
            name,
            help=paper.TITLE,
            description=paper.TITLE,
            epilog=f"example: neuroglia reproduce {name} --seed 0 --out {name}",
            allow_abbrev=False,
        )
        _add_out(sub, name)
        _add_seed(sub, "everything random")
        sub.add_argument(
            "--resume", action="store_true", help="go on with the interrupted study in --out"
        )
        _add_force(sub)
        _add_figures(sub)
        _add_json(sub)
        _add_quiet(sub)
        paper.add_options(sub)


def _add_copy(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="the copy, which ends in .toml")


def _add_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="MODEL", help=_MODEL)
    parser.add_argument("b", metavar="MODEL", help=_MODEL)
    _add_json(parser, "the lines as JSON")


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="its --out folder")
    _add_out(parser, "DIR/report.html; a .md file is Markdown", "FILE")
    parser.add_argument("--force", action="store_true", help="write over FILE")


def _add_show(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    _add_set(parser)
    _add_experiment(parser)


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    _add_experiment(parser)
    _add_json(parser, "findings as JSON")


def _add_list(parser: argparse.ArgumentParser) -> None:
    _add_json(parser, "as JSON")


# ------------------------------------------------------------------------ commands


def _list(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.catalog import files
    from neuroglia_snn.catalog.load import load

    _print_table({name: load(name).title for name in files.names("models")}, arguments.json)


def _print_table(rows: Mapping[str, str], as_json: bool) -> None:
    """Names with their titles."""
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    width = max(map(len, rows), default=0)
    for name, title in rows.items():
        print(f"{name:{width}}  {title}")


def _show(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.catalog.load import declared, read
    from neuroglia_snn.catalog.show import describe

    print(describe(declared(read(arguments.model, overrides(arguments.set)))))


def _check(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from neuroglia_snn import backends
    from neuroglia_snn.catalog.load import load
    from neuroglia_snn.checks import Finding, check_file

    findings = check_file(arguments.model)
    errors = any(f.severity == "error" for f in findings)
    support, needs = {}, []
    if not errors:
        model = load(arguments.model)
        support = backends.support(model)
        experiment = experiments.of_kind(model.experiment.get("kind"))
        needs = [
            f"a run needs --image {name}=FILE, of {' x '.join(map(str, shape))} pixels"
            for name, shape in experiment.required_images(model).items()
        ]
    refusals = [f"not on {name}: {reason}" for name, reason in support.items() if reason]
    if arguments.json:
        notes = [Finding("note", arguments.model, note) for note in (*needs, *refusals)]
        print(json.dumps([asdict(f) for f in (*findings, *notes)], indent=2))
    for finding in findings:
        print(printable(str(finding)), file=sys.stderr)
    if support and not arguments.json:
        noted = f", {len(findings)} to note" if findings else ""
        print(f"{printable(arguments.model)}: ok{noted}")
        print("  runs on", ", ".join(name for name, reason in support.items() if not reason))
        for note in (*needs, *refusals):
            print(f"  {printable(note)}")
    return 2 if errors else 0


def _copy(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.catalog import data
    from neuroglia_snn.catalog.source import locate, read

    source = read(locate(arguments.model))
    target: Path = arguments.file
    parent = str(source.tables.get("model", {}).get("extends", ""))
    beside = parent.endswith(".toml") and not Path(parent).is_absolute()
    if beside and target.resolve().parent != source.path.resolve().parent:
        raise UserError(f"{source.path} extends '{parent}' beside it: copy it within its folder")
    if target.suffix != ".toml":
        raise UserError(f"{target}: a model file ends in .toml")
    beside_it = data.copied(source, target.parent)
    try:
        for old, new in beside_it.items():
            if new.exists() and new.resolve() != old:
                raise ResultError(f"{new} exists already; choose another folder")
        with target.open("x", encoding="utf-8") as file:
            file.write(source.text)
        data.copy(beside_it)
    except FileExistsError:
        raise ResultError(f"{target} exists already; choose another name") from None
    except OSError as error:
        raise ResultError(f"{target}: cannot be written ({error.strerror})") from None
    print(f"{target}: edit it, then: neuroglia check {target} && neuroglia run {target}")


def _diff(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.catalog.show import differences

    lines = differences(arguments.a, arguments.b)
    if arguments.json:
        print(json.dumps(lines, indent=2))
    else:
        print("\n".join(lines) if lines else "no difference")


def _run(arguments: argparse.Namespace) -> int:
    from neuroglia_snn import api

    images, own = _own(arguments)
    try:
        result = api.run(
            _model(arguments),
            arguments.out or Path(f"{Path(arguments.model).stem}-run"),
            seed=arguments.seed,
            seeds=arguments.seeds,
            backend=arguments.backend,
            precision=arguments.precision,
            threads=arguments.threads,
            workers=arguments.workers,
            images=images,
            resize=arguments.resize,
            control=arguments.control,
            fast_math=arguments.fast_math,
            resume=arguments.resume,
            force=arguments.force,
            figures=arguments.figures,
            progress=not arguments.quiet,
            **own,
        )
    except KeyboardInterrupt as stopped:
        if not hasattr(stopped, "result"):
            raise
        result = stopped.result
    summary = result.summary
    if arguments.json:
        _print_json(summary)
    if result.interrupted_at is not None:
        _say(
            f"interrupted at t = {summary['interrupted_at_ms']:.6g} ms; {summary['data']} holds what was"
            " recorded; the same command with --resume goes on"
        )
        return 130
    if not arguments.json:
        _print_results(summary)
    return 0


def _model(arguments: argparse.Namespace) -> Model:
    """The model that is asked for, with its settings and without what is left out."""
    from neuroglia_snn.model import Model

    left_out = getattr(arguments, "without", ())
    return Model.of(arguments.model, overrides(arguments.set), left_out)


def _own(arguments: argparse.Namespace) -> tuple[dict[str, Path], dict[str, Any]]:
    """Images by name, and the options of experiments that were given, their images among them."""
    images: dict[str, Path] = {}
    for text in arguments.image:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise UserError(f"--image takes NAME=FILE, not '{text}'")
        if name in images:
            raise UserError(f"--image {name} is given twice")
        images[name] = Path(path)
    own: dict[str, Any] = {}
    for dest, value in vars(arguments).items():
        name = dest.removeprefix("own ")
        if name != dest and value is not None and value is not False:
            own[name] = value
    return images, own


def _print_json(summary: Mapping[str, object]) -> None:
    from neuroglia_snn.results import dumps

    print(dumps(summary))


def _print_results(summary: dict) -> None:
    """The numbers of a summary, with spreads where it has them, and the paths of what was written."""
    spread = summary.get("standard_deviations", {})
    for key, value in summary["results"].items():
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"{key:40} {text}" + (f" +- {spread[key]:.2g}" if key in spread else ""))
    for path in (*summary["figures"], *([summary["data"]] if "data" in summary else [])):
        print(path)


def _reproduce(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.experiments import carry_out

    summary = carry_out.reproduce(
        arguments.paper,
        arguments.out or Path(arguments.paper),
        arguments,
        force=arguments.force,
        progress=None if arguments.quiet else _bars,
    )
    if arguments.json:
        _print_json(summary)
    else:
        _print_results(summary)


def _sweep(arguments: argparse.Namespace) -> int:
    from neuroglia_snn.sweeps import Grid, axis, is_sweep, sweep

    images, own = _own(arguments)
    out = arguments.out or Path(f"{Path(arguments.model).stem}-sweep")
    if arguments.resume and not is_sweep(out):
        raise ResultError(f"{out} holds no sweep to go on with")
    summary = sweep(
        arguments.model,
        Grid(tuple(map(axis, arguments.over)), arguments.seeds, arguments.seed),
        out,
        Options(
            backend=arguments.backend,
            precision=arguments.precision,
            threads=arguments.threads,
            overrides=overrides(arguments.set),
            without=tuple(arguments.without),
            images=images,
            resize=arguments.resize,
            own=own,
        ),
        arguments.workers,
        arguments.scheduler,
        arguments.best,
        arguments.force,
        None if arguments.quiet else _bars.points(),
        arguments.record,
        arguments.figures,
    )
    if arguments.json:
        _print_json(summary)
    for point, message in summary["failed"].items():
        _say(f"{point} failed: {message}")
    if "interrupted" in summary:
        _say("interrupted; the same command goes on")
        return 130
    if summary["points"]["failed"] == summary["points"]["all"]:
        return 2
    if not arguments.json:
        _print_results(summary)
    return 0


def _build(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.build import build

    summary = build(
        arguments.model,
        arguments.out or Path(f"{Path(arguments.model).stem}-{arguments.backend}"),
        arguments.backend,
        overrides(arguments.set),
        arguments.arch,
        arguments.fast_math,
        announce=not arguments.quiet,
    )
    if arguments.json:
        _print_json(summary)
    else:
        print(f"{summary['program']} ({summary['architecture']})")


def _export(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.exchange import export

    images, own = _own(arguments)
    summary = export(
        arguments.model,
        arguments.out or Path(f"{Path(arguments.model).stem}.{_ENDINGS[arguments.to]}"),
        arguments.to,
        arguments.device,
        overrides(arguments.set),
        arguments.seed,
        images,
        arguments.resize,
        arguments.force,
        own,
        arguments.extension,
    )
    if arguments.json:
        _print_json(summary)
        return
    for note in summary.get("notes", ()):
        _say(f"to note: {note}")
    for path in filter(None, map(summary.get, ("script", "graph", "data"))):
        print(path)


#: What ends the file of an export.
_ENDINGS = {"brian2": "py", "nir": "nir"}


def _import(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.exchange import nir, write_model

    file, out = arguments.file, arguments.out
    if file.suffix == nir.SUFFIX:
        times = (_seconds("--dt", arguments.dt), _seconds("--duration", arguments.duration))
        inputs = nir.arrays(arguments.inputs) if arguments.inputs else None
        summary = nir.write_model(file, out, *times, inputs, arguments.force)
    elif arguments.inputs or arguments.dt or arguments.duration:
        raise UserError("--inputs, --dt and --duration are for a NIR graph (.nir)")
    else:
        summary = write_model(file, out, force=arguments.force)
    if arguments.json:
        _print_json(summary)
        return
    for note in summary["notes"]:
        _say(f"to note: {note}")
    for path in filter(None, (summary["model"], summary["data"])):
        print(path)
    seed = "" if summary["seed"] is None else f" --seed {summary['seed']}"
    print(f"neuroglia run {summary['model']}{seed}")


def _seconds(flag: str, given: str | None) -> float | None:
    """A time that is given, in seconds."""
    from brian2.units.allunits import second

    from neuroglia_snn.language.quantities import parse_quantity

    if given is None:
        return None
    amount = parse_quantity(given)
    if amount.dimensions is not second.dim:
        raise UserError(f"{flag} is a time such as '0.1 ms', not '{given}'")
    return amount.si


def _map(arguments: argparse.Namespace) -> int:
    from neuroglia_snn import api, mapping

    energy = arguments.energy
    summary = api.map(
        _model(arguments),
        arguments.hardware,
        arguments.out,
        arguments.force,
        energy=True if energy == "" else energy,
        energy_steps=arguments.energy_steps,
        seed=arguments.seed,
    )
    if arguments.json:
        _print_json(summary)
    else:
        print(mapping.text(summary))
        for path in summary.get("figures", []):
            print(path)
    if not summary["fits"]:
        return 3
    if "no_energy" in summary:
        raise UserError(summary["no_energy"])
    return 0


def _hardware(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.catalog import files, hardware
    from neuroglia_snn.catalog.source import read

    if arguments.action == "list":
        rows = {name: hardware.load(name).title for name in files.names("hardware")}
        _print_table(rows, arguments.json)
        return
    source = hardware.locate(arguments.name)
    target: Path = arguments.out or Path(f"{source.stem}.toml")
    if target.suffix != ".toml":
        raise UserError(f"{target}: a hardware file ends in .toml")
    text = read(source, "hardware").text
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ResultError(f"{target} exists already; choose another name") from None
    except OSError as error:
        raise ResultError(f"{target}: cannot be written ({error.strerror})") from None
    print(f"{target}: edit it, then: neuroglia map MODEL --hardware {target}")


def _report(arguments: argparse.Namespace) -> None:
    from neuroglia_snn import api

    print(api.report(arguments.folder, arguments.out, arguments.force))


def _doctor(arguments: argparse.Namespace) -> None:
    from neuroglia_snn import api
    from neuroglia_snn.diagnostics import report

    findings = api.doctor()
    print(json.dumps(findings, indent=2) if arguments.json else report(findings))


_COMMANDS: dict[str, _Command] = {
    "list": _Command("list the models of the catalogue", _add_list, "neuroglia list", _list),
    "show": _Command(
        "show a model: equations, parameters with sources, connections",
        _add_show,
        "neuroglia show noise_induced_memory",
        _show,
    ),
    "check": _Command(
        "check a model file: what to mend, what a run needs, and where it runs",
        _add_check,
        "neuroglia check mine.toml",
        _check,
    ),
    "copy": _Command(
        "copy a model file, to edit it",
        _add_copy,
        "neuroglia copy noise_induced_memory mine.toml",
        _copy,
    ),
    "diff": _Command(
        "show what differs between two models, equation by equation",
        _add_diff,
        "neuroglia diff noise_induced_memory mine.toml",
        _diff,
    ),
    "run": _Command(
        "run a model and write results, figures and summary.json",
        _add_run,
        "neuroglia run noise_induced_memory --set sigma2=0.1 --seed 7 --out memory",
        _run,
    ),
    "build": _Command(
        "generate and compile a program for a GPU, here or elsewhere",
        _add_build,
        "neuroglia build noise_induced_memory --backend fused-cuda --arch sm_90",
        _build,
    ),
    "export": _Command(
        "write a model as a Brian2 script that needs no other package, or as a NIR graph",
        _add_export,
        "neuroglia export noise_induced_memory --to brian2 --out memory.py && python memory.py",
        _export,
    ),
    "import": _Command(
        "write the network of a Brian2 script, or a NIR graph, as a model file",
        _add_import,
        "neuroglia import script.py --out model.toml && neuroglia run model.toml",
        _import,
    ),
    "sweep": _Command(
        "run a model over a grid of settings and seeds, side by side",
        _add_sweep,
        "neuroglia sweep noise_induced_memory --over sigma2=0:0.2:11 --seeds 5 --workers 2",
        _sweep,
    ),
    "map": _Command(
        "place a model on neuromorphic hardware: cores, memory, messages, energy; exit status 3 if it does not fit",
        _add_map,
        "neuroglia map noise_induced_memory --hardware loihi2 --energy loihi1",
        _map,
    ),
    "hardware": _Command(
        "list the hardware that models are mapped to, or copy a hardware file",
        _add_hardware,
        "neuroglia hardware copy loihi2 --out mine.toml",
        _hardware,
    ),
    "reproduce": _Command(
        "reproduce a published paper: numbers, tables, figures",
        _add_papers,
        "neuroglia reproduce noise-memory --quick --figure 3",
        _reproduce,
    ),
    "report": _Command(
        "write one page of a run, sweep or reproduction, to open from disk",
        _add_report,
        "neuroglia report memory",
        _report,
    ),
    "doctor": _Command(
        "show what is installed here, and which backends can run",
        lambda parser: _add_json(parser, "as JSON"),
        "neuroglia doctor",
        _doctor,
    ),
}
