"""The command line: ``neuroglia list | show | check | copy | diff | run | build | export | import |
sweep | map | reproduce | report | doctor``.

Exit status: 0 done, 1 our error, 2 the user's mistake, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from neuroglia_snn import __version__
from neuroglia_snn.errors import ResultError, UserError, printable
from neuroglia_snn.options import Options, overrides

#: Closes the progress bars.
_bars = contextlib.ExitStack()
_MODEL = "a catalogue name (see `neuroglia list`) or a .toml file"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the ``neuroglia`` script."""
    arguments = _parser().parse_args(argv)
    try:
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


def _say(text: str) -> None:
    """A line of its own on stderr, below any progress bar."""
    _bars.close()
    print(f"neuroglia: {printable(text)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neuroglia", description="Networks of neurons and glia from one equation file."
    )
    parser.add_argument("--version", action="version", version=f"neuroglia_snn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        return sub

    sub = command("list", _list, "list the models of the catalogue")
    sub.add_argument("--json", action="store_true", help="as JSON")
    sub = command("show", _show, "show a model: equations, parameters with sources, connections")
    sub.add_argument("model", metavar="MODEL", help=_MODEL)
    _add_set(sub)
    sub = command("check", _check, "check a model file; one line for each thing to mend")
    sub.add_argument("model", metavar="MODEL", help=_MODEL)
    sub.add_argument("--json", action="store_true", help="findings as JSON")
    sub = command("copy", _copy, "copy a model file, to edit it")
    sub.add_argument("model", metavar="MODEL", help=_MODEL)
    sub.add_argument("file", type=Path, metavar="FILE")
    sub = command("diff", _diff, "what differs between two models, equation by equation")
    sub.add_argument("a", metavar="MODEL", help=_MODEL)
    sub.add_argument("b", metavar="MODEL", help=_MODEL)
    sub = command("run", _run, "run a model and write results, figures and summary.json")
    sub.add_argument("model", metavar="MODEL", help=_MODEL)
    _add_run(sub)
    sub = command("build", _build, "generate and compile a program for a GPU, here or elsewhere")
    sub.add_argument("model", metavar="MODEL", help=_MODEL)
    _add_build(sub)
    sub = command("export", _export, "write a model as a Brian2 script that needs no other package")
    sub.add_argument("model", metavar="MODEL", help=_MODEL)
    _add_export(sub)
    sub = command("import", _import, "write the network of a Brian2 script as a model file")
    _add_import(sub)
    sub = command("sweep", _sweep, "run a model over a grid of settings and seeds, side by side")
    sub.add_argument("model", metavar="MODEL", help=_MODEL)
    _add_sweep(sub)
    sub = command("map", _map, "place a model on neuromorphic hardware: cores, memory, messages")
    sub.add_argument("model", metavar="MODEL", help=_MODEL)
    _add_map(sub)
    sub = command("reproduce", _reproduce, "reproduce a published paper: numbers, tables, figures")
    _add_papers(sub)
    sub = command("report", _report, "one page of a run, sweep or reproduction, to open from disk")
    sub.add_argument("folder", type=Path, metavar="DIR", help="its --out folder")
    sub.add_argument(
        "--out", type=Path, metavar="FILE", help=".html (default: DIR/report.html) or .md"
    )
    sub.add_argument("--force", action="store_true", help="write over FILE")
    sub = command("doctor", _doctor, "what is installed here, and which backends can run")
    sub.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter (sigma2=0.1) or any key (model.dt='0.001 ms'); may be repeated",
    )


def _add_fast_math(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fast-math",
        action="store_true",
        help="nvcc's -use_fast_math: quicker, less exact (cuda, fused-cuda; off by default)",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_set(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="results folder (default: MODEL-run)"
    )
    parser.add_argument("--force", action="store_true", help="write over an earlier result")
    parser.add_argument(
        "--backend",
        default="auto",
        help="fused, cpp, numpy, program, cuda, fused-cuda, lava or lava-messages; auto (default) takes the"
        " first of fused and cpp that can",
    )
    parser.add_argument(
        "--precision",
        help="float64 or float32, of the populations on the fastest clock (fused; default: the model's);"
        " float or fixed (lava)",
    )
    _add_fast_math(parser)
    parser.add_argument(
        "--replicas",
        type=int,
        default=1,
        metavar="N",
        help="N runs from one build, with seeds SEED, SEED + 1, ...",
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="replicas that run side by side (default 1)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the interrupted run in --out (fused)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of noise and initial values (default 0)"
    )
    parser.add_argument("--threads", type=int, default=1, help="of one run (default 1)")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="POPULATION",
        help="leave a population and its projections out; may be repeated",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="data set, for models that learn from one"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="weights.npz of an earlier run, to show on lava in the place of training",
    )
    parser.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="test images that a classifier is shown on lava (200)",
    )
    parser.add_argument("--json", action="store_true", help="print the summary on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_images(parser)
    parser.add_argument(
        "--control", action="store_true", help="also run without astrocytes, for the figure"
    )


def _add_images(parser: argparse.ArgumentParser) -> None:
    images = parser.add_argument_group("associative memory")
    for name, text in (("train", "training image"), ("test", "cue"), ("clean", "ideal pattern")):
        images.add_argument(
            f"--{name}", type=Path, metavar="IMG", help=f"{text}: .png, .npy or text of 0 and 1"
        )
    images.add_argument("--resize", action="store_true", help="scale images to the lattice")
    images.add_argument("--no-astrocytes", action="store_true", help="neurons alone")


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    _add_set(parser)
    parser.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="what --set takes, with values A,B,C or START:STOP:COUNT; may be repeated",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds of every point")
    parser.add_argument("--seed", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="results folder (default: MODEL-sweep); a sweep that it holds goes on",
    )
    parser.add_argument(
        "--resume", action="store_true", help="said for clarity: a sweep in --out always goes on"
    )
    parser.add_argument("--force", action="store_true", help="give up the sweep in --out")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes here (default 1)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="a Dask scheduler instead, as tcp://host:8786"
    )
    parser.add_argument(
        "--best", metavar="MEASURE", help="the measure to draw (default: the first)"
    )
    parser.add_argument("--backend", default="auto", help="as for run")
    parser.add_argument("--precision", help="as for run")
    parser.add_argument("--threads", type=int, default=1, help="of one run (default 1)")
    parser.add_argument("--without", action="append", default=[], metavar="POPULATION")
    _add_images(parser)
    parser.add_argument("--json", action="store_true", help="print the summary on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_build(parser: argparse.ArgumentParser) -> None:
    _add_set(parser)
    parser.add_argument(
        "--backend",
        default="cuda",
        choices=["cuda", "fused-cuda"],
        help="cuda (brian2cuda, the default) or fused-cuda",
    )
    parser.add_argument(
        "--no-run", action="store_true", help="said for clarity: a build never runs the program"
    )
    parser.add_argument(
        "--arch", metavar="sm_NN", help="GPU architecture, sm_90 for one (default: of the GPU here)"
    )
    _add_fast_math(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the project (default: MODEL-BACKEND)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary on stdout")
    parser.add_argument("--quiet", action="store_true", help="no word of progress")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "example: neuroglia export noise_induced_memory --to brian2 --set sigma2=0.1 --out memory.py"
        " && python memory.py"
    )
    parser.add_argument("--to", choices=["brian2"], required=True, help="what to write")
    parser.add_argument(
        "--device",
        choices=["runtime", "cpp_standalone", "cuda_standalone"],
        default="runtime",
        help="Brian2's device that the script chooses (default runtime)",
    )
    _add_set(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the script (default: MODEL.py); images and long lists go to the .npz file beside it",
    )
    parser.add_argument("--force", action="store_true", help="write over FILE")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of Brian2's random numbers, and drawn images (default 0)",
    )
    for name, text in (("train", "training image"), ("test", "cue")):
        parser.add_argument(
            f"--{name}", type=Path, metavar="IMG", help=f"{text} of a memory, as for run"
        )
    parser.add_argument("--resize", action="store_true", help="scale images to the lattice")
    parser.add_argument("--json", action="store_true", help="print the summary on stdout")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "example: neuroglia import script.py --out model.toml && neuroglia run model.toml; the script is run"
        " up to its first run()"
    )
    parser.add_argument("script", type=Path, metavar="SCRIPT", help="a Brian2 script (.py)")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the model file (.toml); arrays go to the .npz file beside it",
    )
    parser.add_argument("--force", action="store_true", help="write over FILE")
    parser.add_argument("--json", action="store_true", help="print the summary on stdout")


def _add_map(parser: argparse.ArgumentParser) -> None:
    _add_set(parser)
    parser.add_argument(
        "--hardware",
        required=True,
        metavar="NAME",
        help="loihi2, loihi1 or a hardware file (.toml)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for summary.json and a drawing of the cores"
    )
    parser.add_argument("--force", action="store_true", help="write over an earlier result")
    parser.add_argument("--json", action="store_true", help="print the summary on stdout")


def _add_papers(parser: argparse.ArgumentParser) -> None:
    from neuroglia_snn import studies

    papers = parser.add_subparsers(required=True, metavar="PAPER", dest="paper")
    for name in studies.PAPERS:
        study = studies.of_paper(name)
        sub = papers.add_parser(name, help=study.TITLE, description=study.TITLE)
        sub.add_argument(
            "--out", type=Path, metavar="DIR", help=f"results folder (default: {name})"
        )
        sub.add_argument("--seed", type=int, default=0, help="of everything random (default 0)")
        sub.add_argument(
            "--resume", action="store_true", help="go on with the interrupted study in --out"
        )
        sub.add_argument("--force", action="store_true", help="write over an earlier result")
        sub.add_argument("--json", action="store_true", help="print the summary on stdout")
        sub.add_argument("--quiet", action="store_true", help="no progress bar")
        study.add_options(sub)


# ------------------------------------------------------------------------ commands


def _list(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.catalog import files
    from neuroglia_snn.catalog.load import load

    rows = {name: load(name).title for name in files.names("models")}
    if arguments.json:
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
    support = {} if errors else backends.support(load(arguments.model))
    if arguments.json:
        notes = [
            Finding("note", arguments.model, f"not on backend '{name}': {reason}")
            for name, reason in support.items()
            if reason
        ]
        print(json.dumps([asdict(f) for f in (*findings, *notes)], indent=2))
    for finding in findings:
        print(printable(str(finding)), file=sys.stderr)
    if support and not arguments.json:
        print(
            f"{printable(arguments.model)}: ok" + (f", {len(findings)} to note" if findings else "")
        )
        print("  runs on", ", ".join(name for name, reason in support.items() if not reason))
        for name, reason in support.items():
            if reason:
                print(f"  not on {name}: {reason}")
    return 2 if errors else 0


def _copy(arguments: argparse.Namespace) -> None:
    import shutil

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
        for old, new in beside_it.items():
            if new.resolve() != old:
                new.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(old, new)
    except FileExistsError:
        raise ResultError(f"{target} exists already; choose another name") from None
    except OSError as error:
        raise ResultError(f"{target}: cannot be written ({error.strerror})") from None
    print(f"{target}: edit it, then: neuroglia check {target} && neuroglia run {target}")


def _diff(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.catalog.show import differences

    lines = differences(arguments.a, arguments.b)
    print("\n".join(lines) if lines else "no difference")


def _run(arguments: argparse.Namespace) -> int:
    from neuroglia_snn.runs import run

    name = Path(arguments.model).stem
    summary = run(
        arguments.model,
        arguments.out or Path(f"{name}-run"),
        _options(
            arguments,
            seed=arguments.seed,
            replicas=arguments.replicas,
            workers=arguments.workers,
            resume=arguments.resume,
            control=arguments.control,
            data=arguments.data,
            fast_math=arguments.fast_math,
            weights=arguments.weights,
            images=arguments.images,
        ),
        force=arguments.force,
        progress=None if arguments.quiet else _progress,
    )
    if arguments.json:
        from neuroglia_snn.results import dumps

        print(dumps(summary))
    if "interrupted_at_ms" in summary:
        _say(
            f"interrupted at t = {summary['interrupted_at_ms']:.6g} ms; {summary['data']} holds what was"
            " recorded; the same command with --resume goes on"
        )
        return 130
    if arguments.json:
        return 0
    _print_results(summary)
    return 0


def _options(arguments: argparse.Namespace, **more) -> Options:
    """What `run` and `sweep` both ask for, and ``more``."""
    return Options(
        backend=arguments.backend,
        precision=arguments.precision,
        threads=arguments.threads,
        overrides=overrides(arguments.set),
        without=tuple(arguments.without),
        no_astrocytes=arguments.no_astrocytes,
        train=arguments.train,
        test=arguments.test,
        clean=arguments.clean,
        resize=arguments.resize,
        **more,
    )


def _print_results(summary: dict) -> None:
    """The numbers of a summary, with spreads where it has them, and the paths of what was written."""
    spread = summary.get("standard_deviations", {})
    for key, value in summary["results"].items():
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"{key:40} {text}" + (f" +- {spread[key]:.2g}" if key in spread else ""))
    for path in (*summary["figures"], *([summary["data"]] if "data" in summary else [])):
        print(path)


def _reproduce(arguments: argparse.Namespace) -> None:
    from neuroglia_snn import studies
    from neuroglia_snn.results import dumps

    summary = studies.reproduce(
        arguments.paper,
        arguments.out or Path(arguments.paper),
        arguments,
        force=arguments.force,
        progress=None if arguments.quiet else _progress,
    )
    if arguments.json:
        print(dumps(summary))
    else:
        _print_results(summary)


def _progress(label: str):
    """A progress bar with the time that remains, on stderr."""
    from tqdm import tqdm

    bar = tqdm(
        total=100,
        desc=label,
        file=sys.stderr,
        unit="%",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
    )
    _bars.callback(bar.close)

    def update(fraction: float, model_time: float) -> None:
        if model_time > 0:
            bar.set_postfix_str(f"t = {model_time * 1e3:.4g} ms", refresh=False)
        bar.update(100 * fraction - bar.n)
        if fraction >= 1:
            bar.close()

    return update


def _sweep(arguments: argparse.Namespace) -> int:
    from neuroglia_snn.results import dumps
    from neuroglia_snn.sweep import Grid, axis, sweep

    summary = sweep(
        arguments.model,
        Grid(tuple(map(axis, arguments.over)), arguments.seeds, arguments.seed),
        arguments.out or Path(f"{Path(arguments.model).stem}-sweep"),
        _options(arguments),
        arguments.workers,
        arguments.scheduler,
        arguments.best,
        arguments.force,
        None if arguments.quiet else _points(),
    )
    if arguments.json:
        print(dumps(summary))
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


def _points():
    """A progress bar over the points of a sweep, with the time that remains and the best so far."""
    from tqdm import tqdm

    bar: tqdm | None = None  # until the first word: what comes before may be a refusal

    def update(done: int, total: int, best: str) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(total=total, initial=done, file=sys.stderr, unit="point")
            _bars.callback(bar.close)
        bar.set_postfix_str(best, refresh=False)
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return update


def _build(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.build import build
    from neuroglia_snn.results import dumps

    summary = build(
        arguments.model,
        arguments.out or Path(f"{Path(arguments.model).stem}-{arguments.backend}"),
        arguments.backend,
        overrides(arguments.set),
        arguments.arch,
        arguments.fast_math,
        announce=not arguments.quiet,
    )
    print(dumps(summary) if arguments.json else f"{summary['program']} ({summary['architecture']})")


def _export(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.exchange import export
    from neuroglia_snn.results import dumps

    summary = export(
        arguments.model,
        arguments.out or Path(f"{Path(arguments.model).stem}.py"),
        arguments.to,
        arguments.device,
        overrides(arguments.set),
        arguments.seed,
        arguments.train,
        arguments.test,
        arguments.resize,
        arguments.force,
    )
    if arguments.json:
        print(dumps(summary))
        return
    for path in filter(None, (summary["script"], summary["data"])):
        print(path)


def _import(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.exchange import from_brian2
    from neuroglia_snn.results import dumps

    summary = from_brian2(arguments.script, arguments.out, force=arguments.force)
    if arguments.json:
        print(dumps(summary))
        return
    for note in summary["notes"]:
        _say(f"to note: {note}")
    for path in filter(None, (summary["model"], summary["data"])):
        print(path)
    seed = "" if summary["seed"] is None else f" --seed {summary['seed']}"
    print(f"neuroglia run {summary['model']}{seed}")


def _map(arguments: argparse.Namespace) -> None:
    from neuroglia_snn import mapping
    from neuroglia_snn.results import dumps

    summary = mapping.map_to(
        arguments.model,
        arguments.hardware,
        overrides(arguments.set),
        arguments.out,
        arguments.force,
    )
    print(dumps(summary) if arguments.json else mapping.text(summary))
    for path in summary.get("figures", []) if not arguments.json else []:
        print(path)


def _report(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.report import report

    print(report(arguments.folder, arguments.out, arguments.force))


def _doctor(arguments: argparse.Namespace) -> None:
    from neuroglia_snn.doctor import examine, report

    findings = examine()
    print(json.dumps(findings, indent=2) if arguments.json else report(findings))
