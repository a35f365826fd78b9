"""Random well-formed models: what passes `check` gives one result, on numpy, cpp and fused."""

from __future__ import annotations

import pytest

from fuzz import contract, random_models
from neuroglia_snn.backends.brian.quiet import hush
from neuroglia_snn.errors import NumericalError


def _require_agreement(seeds, backend, folder):
    hush()
    parts = random_models.sound(seeds, folder)  # all compiled as one program
    assert len(parts) > len(seeds) // 8, "hardly any model is left to compare"
    found = random_models.compared(parts, folder, backend)
    again = "".join(f"\npython tests/fuzz model {seed}: {text}" for seed, text in found.items())
    assert not found, again


@pytest.mark.thorough
@pytest.mark.parametrize(("backend", "seeds"), [("cpp", (100, 106)), ("fused", (138, 140, 142))])
def test_a_few_models_give_the_numbers_of_numpy(backend, seeds, tmp_path):
    _require_agreement(seeds, backend, tmp_path)


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["cpp", "fused"])
@pytest.mark.parametrize("part", range(3))
def test_dozens_of_models_do(backend, part, tmp_path):
    _require_agreement(range(100 + 16 * part, 116 + 16 * part), backend, tmp_path)


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["cpp", "fused"])
def test_what_is_not_finite_is_refused_alike(backend, tmp_path):
    hush()
    found = []
    for seed, model in random_models.unsound(range(300, 340), tmp_path):
        if len(found) < 4:
            found.append((seed, random_models.run(model, backend)))
    assert found
    assert not [(seed, said) for seed, said in found if not isinstance(said, NumericalError)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(3))
def test_what_passes_check_runs(part, tmp_path):
    """On numpy, or is refused in a sentence as not finite."""
    hush()
    random_models.sound(range(1000 + 100 * part, 1100 + 100 * part), tmp_path)


@pytest.mark.thorough
def test_the_comparison_can_fail(tmp_path):
    """Another number of a parameter is another result."""
    hush()
    parts = random_models.sound(range(4), tmp_path)
    one, against = next(iter(parts.values()))
    model = contract.check(random_models.write(tmp_path, [one]))
    near = random_models.run(random_models.moved(model, 1 + 1e-6), "numpy")
    assert random_models.difference(one, near, against)
    assert not random_models.difference(one, against.outcome, against)
