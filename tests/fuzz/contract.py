"""What holds of every input, however strange: exit status 0 or 2, a sentence, no trace of it elsewhere."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

from fuzz import whole
from neuroglia_snn import checks, cli, spec
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.checks import Finding
from neuroglia_snn.errors import UserError

#: Seconds that no check may take.
LIMIT = 10
#: Characters of a sentence at most; a path comes on top.
LONGEST = 1200


class BrokenError(AssertionError):
    """The contract is broken; ``kind`` is the same for all inputs that break it in the same way."""

    def __init__(self, kind: str, detail: str = ""):
        super().__init__(f"{kind}\n{detail}" if detail else kind)
        self.kind = kind


@contextlib.contextmanager
def limit(seconds: float = LIMIT) -> Iterator[None]:
    """End what takes longer: of the processor's time, as others may be at work, or six times as long."""

    def stop(number: int, frame: object) -> None:
        raise BrokenError(f"longer than {seconds:g} s", "".join(traceback.format_stack(limit=8)))

    clocks = (signal.ITIMER_PROF, signal.SIGPROF, 1), (signal.ITIMER_REAL, signal.SIGALRM, 6)
    before = [signal.signal(number, stop) for _, number, _ in clocks]
    for clock, _, times in clocks:
        signal.setitimer(clock, times * seconds)
    try:
        yield
    finally:
        for (clock, number, _), handler in zip(clocks, before, strict=True):
            signal.setitimer(clock, 0)
            signal.signal(number, handler)


def held(function: Callable, *arguments: object, seconds: float = LIMIT):
    """What a call gives, or the `UserError` that it raises; every other exception breaks the contract."""
    try:
        with limit(seconds):
            return function(*arguments)
    except UserError as error:
        for line in str(error).split("\n"):
            _sentence(line)
        return error
    except BrokenError:
        raise
    except BaseException as error:
        raise BrokenError(f"traceback: {_place(error)}", traceback.format_exc()) from None


def _place(error: BaseException) -> str:
    """The exception's type and the last of our lines that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/neuroglia_snn/" in f.filename]
    at = f"{Path(ours[-1].filename).name} {ours[-1].name}" if ours else "?"
    return f"{type(error).__name__} in {at}"


def _sentence(text: str) -> None:
    if not text.strip():
        raise BrokenError("an empty sentence")
    if not text.isprintable():
        raise BrokenError("a sentence with control characters", ascii(text))
    if len(text) > LONGEST:
        raise BrokenError("a sentence that is too long", text)
    if "Traceback" in text:
        raise BrokenError("a traceback in a sentence", text)


def check(path: Path) -> spec.Model | None:
    """The model of a file that passes `check`; all findings are sentences, and `run` agrees."""
    with _checked_once():
        findings = held(checks.check_file, str(path))
        loaded = held(checks.load_checked, str(path))
    if isinstance(findings, UserError):  # an `extends` that is nowhere
        findings = [checks.findings.Finding("error", "", str(findings))]
    for finding in findings:
        _sentence(str(finding))
    passes = all(f.severity != "error" for f in findings)
    if isinstance(loaded, UserError) == passes:
        raise BrokenError("`check` and `run` disagree", f"{findings}\n{loaded}")
    return loaded[0] if passes else None


#: Models in which nothing was found, with their tables' keys.
_GOOD: set[str] = set()


@contextlib.contextmanager
def _checked_once() -> Iterator[None]:
    """Let a good model be checked once, however its file is written: that is what takes time."""
    check_anew = checks._check

    def checked(model: spec.Model, document: Document) -> list[Finding]:
        parameters = {n: replace(p, source="", about="") for n, p in model.parameters.items()}
        blank = replace(model, title="", description="", doi="", digest="", parameters=parameters)
        text = repr((blank, [path for path, _ in whole.walk(document.tables)]))
        if text in _GOOD:
            return []
        findings = check_anew(model, document)
        if not findings:
            _GOOD.add(text)
        return findings

    with mock.patch.object(checks, "_check", checked):
        yield


def load(path: Path, settings: Mapping[str, str]):
    """A checked model with settings, or the sentence that refuses it."""
    return held(checks.load_checked, str(path), dict(settings))


def command(*words: str, seconds: float = LIMIT) -> tuple[int, str, str]:
    """Run our command line in this process; its exit status, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()

    def call() -> int:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                return cli.main(list(words))
            except SystemExit as stop:  # argparse
                return int(stop.code or 0)

    status = held(call, seconds=seconds)
    if status not in (0, 2):
        raise BrokenError(f"exit status {status}", err.getvalue())
    said = err.getvalue()
    if "Traceback" in said:
        raise BrokenError("a traceback on stderr", said)
    if not all(line.isprintable() for line in said.replace("\r", "\n").split("\n")):
        raise BrokenError("control characters on stderr", ascii(said))
    if status == 2 and not said.strip():
        raise BrokenError("exit status 2 without a word")
    return status, out.getvalue(), said


def files(folder: Path) -> frozenset[str]:
    """Every file and folder below a folder."""
    return frozenset(str(p.relative_to(folder)) for p in folder.rglob("*"))


@contextlib.contextmanager
def untouched(folder: Path, apart: Sequence[str] = ()) -> Iterator[None]:
    """Nothing appears in a folder, nor goes, apart from what stands below the names in ``apart``."""

    def seen() -> set[str]:
        return {f for f in files(folder) if f.split(os.sep)[0] not in apart}

    before = seen()
    yield
    after = seen()
    if before != after:
        raise BrokenError("files where none should be", str(sorted(before ^ after)))


@functools.lru_cache
def installed(module: str) -> bool:
    """Whether an optional package is here."""
    from importlib.util import find_spec

    return find_spec(module) is not None
