"""What paper 1's figures take: sweeps and single runs, in a quick and in a full form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from neuroglia_snn import checkpoint, results
from neuroglia_snn.options import Options, command
from neuroglia_snn.run import run
from neuroglia_snn.studies.base import Work
from neuroglia_snn.sweep import Grid, axis, sweep

LATTICE = "noise_induced_excitability"
MEMORY = "noise_induced_memory"
#: The noise of the paper's Figs 3, 4 and 5 b, and the one that our lattice recalls best at.
PAPERS_NOISE, BEST_NOISE = "0.09", "0.12"


@dataclass(frozen=True)
class Setting:
    """Where jobs are carried out, and with what."""

    work: Work
    seed: int
    workers: int
    resume: bool


@dataclass(frozen=True)
class Sweep:
    """A grid of runs; ``name`` is its folder."""

    name: str
    model: str
    over: tuple[str, ...]
    seeds: int
    settings: Mapping[str, str] = field(default_factory=dict)
    no_astrocytes: bool = False

    @property
    def runs(self) -> int:
        """How many."""
        return Grid(tuple(map(axis, self.over)), self.seeds).size

    def command(self, setting: Setting) -> str:
        """The same on the command line."""
        over = [word for o in self.over for word in ("--over", o)]
        seeds = ["--seeds", str(self.seeds), "--seed", str(setting.seed)]
        return command("sweep", self.model, *over, *seeds, *self._options.flags())

    @property
    def _options(self) -> Options:
        return Options(overrides=self.settings, no_astrocytes=self.no_astrocytes)

    def carry_out(self, setting: Setting) -> xr.Dataset:
        """Every measure, with a dimension for each setting and ``seed``; what is done is not done again.

        Raises
        ------
        UserError
        KeyboardInterrupt
            When the sweep has stopped for one.
        """
        progress = setting.work.watch(self.name)
        out = setting.work.folder / self.name
        summary = sweep(
            self.model,
            Grid(tuple(map(axis, self.over)), self.seeds, setting.seed),
            out,
            self._options,
            setting.workers,
            force=not setting.resume,
            watch=lambda done, total, best: progress(done / total, 0.0),
        )
        if "interrupted" in summary:
            raise KeyboardInterrupt
        return xr.load_dataset(out / "sweep.nc")


@dataclass(frozen=True)
class Run:
    """A single run with its figures and records; ``name`` is its folder."""

    name: str
    model: str
    settings: Mapping[str, str] = field(default_factory=dict)
    control: bool = False
    replicas: int = 1

    def command(self, setting: Setting) -> str:
        """The same on the command line."""
        return command("run", self.model, *self._options(setting).flags())

    def _options(self, setting: Setting) -> Options:
        return Options(
            overrides=self.settings,
            seed=setting.seed,
            control=self.control,
            replicas=self.replicas,
            resume=setting.resume and checkpoint.exists(self.folder(setting)),
        )

    @property
    def runs(self) -> int:
        """How many."""
        return self.replicas + self.control

    def carry_out(self, setting: Setting) -> dict:
        """Its summary; what an interrupted study has finished is not done again.

        Raises
        ------
        UserError
        KeyboardInterrupt
        """
        folder = self.folder(setting)
        if setting.resume and (folder / results.SUMMARY).exists():
            before = json.loads((folder / results.SUMMARY).read_text(encoding="utf-8"))
            if "interrupted_at_ms" not in before:
                return before
        force = not setting.resume
        summary = run(self.model, folder, self._options(setting), force, setting.work.progress)
        if "interrupted_at_ms" in summary:
            raise KeyboardInterrupt
        return summary

    def data(self, setting: Setting) -> xr.Dataset:
        """The records of the run, once it is carried out."""
        return xr.load_dataset(self.folder(setting) / results.DATA)

    def folder(self, setting: Setting) -> Path:
        """Where its results are."""
        return setting.work.folder / self.name
