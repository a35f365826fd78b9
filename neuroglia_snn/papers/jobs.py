"""What a figure takes: sweeps and single runs, each in a folder of its own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from neuroglia_snn import checkpoint, checks, results, spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.measures import spread_over_seeds
from neuroglia_snn.options import Options, command
from neuroglia_snn.results import style
from neuroglia_snn.runs import run
from neuroglia_snn.sweeps import Grid, axis, store, sweep


@dataclass(frozen=True)
class Setting:
    """Where jobs are carried out, and with what."""

    work: Work
    seed: int
    workers: int = 1
    resume: bool = False
    force: bool = False


@dataclass(frozen=True)
class Job(ABC):
    """Something to carry out once; ``name`` is its folder."""

    name: str
    model: str

    @property
    def backend(self) -> str:
        """Of all its simulations."""
        return "auto"

    @property
    @abstractmethod
    def runs(self) -> int:
        """How many simulations."""

    @abstractmethod
    def command(self, setting: Setting) -> str:
        """The same on the command line."""

    @abstractmethod
    def carry_out(self, setting: Setting) -> None:
        """Compute what is not there yet.

        Raises
        ------
        UserError
        KeyboardInterrupt
            When it has stopped for one.
        """

    @abstractmethod
    def give_up(self, setting: Setting) -> None:
        """Forget what an earlier study left in the folder."""

    @abstractmethod
    def data(self, setting: Setting) -> xr.Dataset:
        """What came out."""

    @abstractmethod
    def unit_steps(self) -> float:
        """Steps of single units, of all simulations."""

    def folder(self, setting: Setting) -> Path:
        """Where its results are."""
        return setting.work.folder / self.name

    def summary(self, setting: Setting) -> dict:
        """Its summary, once it is carried out."""
        return json.loads((self.folder(setting) / results.SUMMARY).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class SweepJob(Job):
    """A grid of runs."""

    over: tuple[str, ...]
    seeds: int
    settings: Mapping[str, str] = field(default_factory=dict)
    no_astrocytes: bool = False

    def grid(self, seed: int) -> Grid:
        """The points."""
        return Grid(tuple(map(axis, self.over)), self.seeds, seed)

    @property
    def options(self) -> Options:
        """Of every run."""
        own = {"no_astrocytes": True} if self.no_astrocytes else {}
        return Options(overrides=self.settings, own=own)

    @property
    def runs(self) -> int:
        """See `Job`."""
        return self.grid(0).size

    def command(self, setting: Setting) -> str:
        """See `Job`."""
        flags = self.grid(setting.seed).flags()
        return command("sweep", self.model, *flags, *self.options.flags())

    def carry_out(self, setting: Setting) -> None:
        """See `Job`."""
        progress = setting.work.watch(self.name)
        summary = sweep(
            self.model,
            self.grid(setting.seed),
            self.folder(setting),
            self.options,
            setting.workers,
            watch=lambda done, total, best: progress(done / total, 0.0),
            figures=style.extension(),
        )
        if "interrupted" in summary:
            raise KeyboardInterrupt
        if summary["points"]["failed"] == summary["points"]["all"]:
            raise UserError(f"{self.name}: every point failed: {min(summary['failed'].values())}")

    def give_up(self, setting: Setting) -> None:
        """See `Job`."""
        if (self.folder(setting) / store.IDENTITY).exists():
            store.discard(self.folder(setting), (results.SUMMARY,))

    def data(self, setting: Setting) -> xr.Dataset:
        """Every measure, with a dimension for each setting and ``seed``."""
        return xr.load_dataset(self.folder(setting) / store.DATA)

    def unit_steps(self) -> float:
        """See `Job`."""
        shapes = next((a for a in self.grid(0).axes if a.name.endswith(".shape")), None)
        varied = [{shapes.name: value} for value in shapes.values] if shapes else [{}]
        each = [_unit_steps(self.model, {**self.settings, **v}) for v in varied]
        return self.runs * sum(each) / len(each)


@dataclass(frozen=True)
class RunJob(Job):
    """A single run, or replicas of one, with figures and records."""

    settings: Mapping[str, str] = field(default_factory=dict)
    control: bool = False
    replicas: int = 1
    backend: str = "auto"
    precision: str | None = None

    @property
    def runs(self) -> int:
        """See `Job`."""
        return self.replicas + self.control

    def options(self, setting: Setting) -> Options:
        """As `run` takes them."""
        return Options(
            backend=self.backend,
            precision=self.precision,
            overrides=self.settings,
            seed=setting.seed,
            control=self.control,
            seeds=self.replicas,
            resume=setting.resume and checkpoint.exists(self.folder(setting)),
        )

    def command(self, setting: Setting) -> str:
        """See `Job`."""
        return command("run", self.model, *self.options(setting).flags())

    def carry_out(self, setting: Setting) -> None:
        """See `Job`."""
        done = (self.folder(setting) / results.SUMMARY).exists()
        if setting.resume and done and "interrupted_at_ms" not in self.summary(setting):
            return
        options, force = self.options(setting), setting.force or setting.resume
        work, kind = setting.work, style.extension()
        result = run(self.model, self.folder(setting), options, force, work.progress, kind)
        if result.interrupted_at is not None:
            raise KeyboardInterrupt

    def give_up(self, setting: Setting) -> None:
        """See `Job`."""
        (self.folder(setting) / results.SUMMARY).unlink(missing_ok=True)

    def figure(self, setting: Setting, name: str) -> Path:
        """The file of one of its figures."""
        return self.folder(setting) / f"{name}.{style.extension()}"

    def data(self, setting: Setting) -> xr.Dataset:
        """The records."""
        return xr.load_dataset(self.folder(setting) / results.DATA)

    def unit_steps(self) -> float:
        """See `Job`."""
        return self.runs * _unit_steps(self.model, self.settings)


def mean(values: xr.DataArray) -> float:
    """Over seeds; NaN where one of them failed."""
    return float(values.mean("seed", skipna=False))


def spread(values: xr.DataArray) -> str:
    """Mean, and standard deviation where there are several seeds."""
    several = values.sizes["seed"] > 1
    return f"{mean(values):.3f}" + (
        f" ± {float(spread_over_seeds(values, skipna=False)):.3f}" if several else ""
    )


def unit_steps(model: spec.Model) -> float:
    """Steps of single units in one simulation."""
    return sum(p.size * model.duration / p.dt for p in model.populations.values())


def _unit_steps(name: str, settings: Mapping[str, str]) -> float:
    return unit_steps(checks.load_checked(name, dict(settings))[0])
