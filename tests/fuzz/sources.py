"""The sources that backends generate from a model, without compiling them."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np

from fuzz.contract import held, installed
from neuroglia_snn import spec
from neuroglia_snn.backends import get
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian import project, standalone
from neuroglia_snn.backends.fused import device
from neuroglia_snn.emit import library
from neuroglia_snn.emit.cuda import library as cuda
from neuroglia_snn.exchange.to_brian2 import script
from neuroglia_snn.program.code import Code
from neuroglia_snn.program.machine import Machine, Setting
from neuroglia_snn.program.passes import on_gpu, simplified
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.reference import NumpyMachine

#: Longer runs than this are not run here.
MAX_STEPS, MAX_UNITS = 200, 10_000


def request(model: spec.Model) -> Request:
    """A run of the model, with images of its own."""
    images = {name: np.ones(shape, bool) for name, shape in model.images().items()}
    return Request(model, images)


def small(model: spec.Model) -> bool:
    """Whether a run of the model takes no time."""
    fastest = min([p.dt for p in model.populations.values()])
    clocks = [p.dt for p in model.projections.values()]
    clocks += [r.dt for p in model.populations.values() for r in p.regularly]
    units = sum(p.size for p in model.populations.values())
    return model.duration / min([fastest, *clocks]) <= MAX_STEPS and units <= MAX_UNITS


def plain(model: spec.Model) -> spec.Model:
    """The model without what is only shown."""
    parameters = {n: replace(p, text="", source="", about="") for n, p in model.parameters.items()}
    return replace(
        model, title="", description="", doi="", digest="", experiment={}, parameters=parameters
    )


def of(model: spec.Model) -> dict[str, str]:
    """Backend -> all that it generates (the numpy backend has run), or the sentence of its refusal."""
    if installed("snntorch"):
        importlib.import_module("neuroglia_snn.backends.torch.system")  # which takes its time
    found = {
        "numpy": held(_numpy, model, seconds=60),
        "cpp": held(_cpp, model, seconds=60),
        "fused": held(_fused, model, seconds=60),
        "fused-cuda": held(_fused_cuda, model, seconds=60),
        "fixed": held(_fused, model, "fixed", seconds=60),
        "export": held(_exported, model, seconds=60),
    }
    if installed("snntorch"):
        found["torch"] = "\n".join(str(held(_torch, model, n)) for n in model.populations)
    return {name: str(text) for name, text in found.items()}


def _numpy(model: spec.Model) -> str:
    if small(model):
        get("numpy").run(request(model))
    return ""


def _cpp(model: spec.Model) -> str:
    with tempfile.TemporaryDirectory() as folder, project.device(1):
        standalone.generate(request(model), Path(folder) / "code", project.SEED)
        return _text(Path(folder))


def _fused(model: spec.Model, precision: str = "float64") -> str:
    return _written(model, precision, lambda program: library.source(simplified(program)))


def _fused_cuda(model: spec.Model) -> str:
    return _written(model, "float64", lambda p: cuda.source(simplified(p, on_gpu()), False))


def _written(model: spec.Model, precision: str, source: Callable[[Program], str]) -> str:
    texts = []

    def written(program: Program, setting: Setting) -> Machine:
        texts.append(source(program))
        return NumpyMachine(program, setting)

    if small(model):
        with mock.patch.dict(device._targets, cpp=(Code, written)):
            get("fused").run(replace(request(model), precision=precision))
    return "\n".join(texts)


def _exported(model: spec.Model) -> str:
    return script(model, request(model).images).text


def _torch(model: spec.Model, population: str) -> str:
    from neuroglia_snn.backends.torch.system import System

    return repr(vars(System(model, population)))


def _text(folder: Path) -> str:
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return "\n".join(f"{p.name}\n{p.read_text(errors='replace')}" for p in found)
