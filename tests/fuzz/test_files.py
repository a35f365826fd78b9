"""Every model file, however wrong, costs exit status 0 or 2 and a sentence for each thing to mend."""

from __future__ import annotations

import pytest

from fuzz import contract, failures, mutate, whole
from neuroglia_snn.backends.brian.quiet import hush
from neuroglia_snn.catalog import files, hardware

#: Seeds of a quick test, and of each of the parts of a thorough one.
QUICK, PARTS, EACH = 1_000, 20, 5_000


def _check(seed: int, folder) -> None:
    (folder / "base.toml").write_text(whole.WHOLE)
    (folder / "model.toml").write_text(mutate.model(seed), encoding="utf-8")
    contract.check(folder / "model.toml")


def _load(seed: int, folder) -> None:
    path = folder / "whole.toml"
    path.write_text(whole.dumps(mutate.MODELS[sorted(mutate.MODELS)[seed % len(mutate.MODELS)]]))
    contract.load(path, mutate.settings(seed))


def _hardware(seed: int, folder) -> None:
    known = files.names("hardware")
    text = files.find("hardware", known[seed % len(known)]).read_text(encoding="utf-8")
    path = folder / "chip.toml"
    path.write_text(mutate.hardware(seed, text), encoding="utf-8")
    contract.held(hardware.load, str(path))


INPUTS = {"files": _check, "settings": _load, "hardware": _hardware}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", INPUTS)
def test_a_thousand_inputs_cost_a_sentence_each(kind, tmp_path):
    hush()
    seeds = range(QUICK if kind == "files" else QUICK // 5)
    failures.require_none(kind, seeds, lambda seed: INPUTS[kind](seed, tmp_path), tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(PARTS))
def test_a_hundred_thousand_do(part, tmp_path):
    hush()
    kind = {0: "hardware", 1: "settings"}.get(part, "files")
    seeds = range(part * EACH, (part + 1) * EACH)
    failures.require_none(kind, seeds, lambda seed: INPUTS[kind](seed, tmp_path), tmp_path)
