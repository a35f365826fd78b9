"""Li-Rinzel astrocytes read from a model file: against Brian2, and following the file."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from brian2 import Network, NeuronGroup, defaultclock, prefs, second  # noqa: E402

from neuroglia_snn import UserError  # noqa: E402
from neuroglia_snn.catalog.load import load  # noqa: E402
from neuroglia_snn.language import equations, stability  # noqa: E402
from neuroglia_snn.papers.anan.calcium import (  # noqa: E402
    MOST_PRESENTATIONS,
    Calcium,
    CalciumModel,
)

HISTORIES = ([1] * 8, [0] * 8, [1, 1, 0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 1, 1, 1, 0])


def course(model: CalciumModel, presentations: list[int]) -> np.ndarray:
    """Calcium after each presentation of one kernel, in mM."""
    history, found = np.ones(1, np.int64), []
    for active in presentations:
        history = 2 * history + active
        found.append(model.after(history)[0])
    return np.array(found)


@pytest.mark.thorough
def test_calcium_follows_the_equations_as_brian2_does():
    """The file's astrocyte population in Brian2 (same scheme, 1 ms), driven by the same events."""
    source = load("noise_induced_memory")
    glia = source.populations["astrocyte"]
    prefs.codegen.target = "numpy"
    defaultclock.dt = 1e-3 * second
    constants = {n: p.value.si for n, p in source.parameters.items()}
    dimensions = {n: p.value.dimensions for n, p in source.parameters.items()}
    from brian2 import Quantity

    namespace = {n: Quantity(v, dim=dimensions[n]) for n, v in constants.items()}
    group = NeuronGroup(
        len(HISTORIES),
        equations.to_brian(equations.parse(glia.equations)),
        method="rk2",
        namespace=namespace,
    )
    start = stability.initial_values(source, glia)
    for name in ("Ca", "IP3", "h"):
        setattr(group, f"{name}_", start[name])
    group.last_drive_ = -1e9
    network, expected = Network(group), []
    for n, presentation in enumerate(np.array(HISTORIES).T):
        group.last_drive_[presentation == 1] = 100 * n * 1e-3  # of the clock, to the bit
        network.run(0.1 * second)
        expected.append(np.array(group.Ca_))
    model = CalciumModel.of()
    found = np.array([course(model, history) for history in HISTORIES]).T
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert np.ptp(expected[-1]) > 5e-5  # the histories differ


def test_histories_asked_for_together_or_apart_are_the_same():
    together, histories = CalciumModel.of(), np.ones((16, 2), np.int64)
    bits = np.random.default_rng(1).integers(0, 2, (6, 16, 2))
    for now in bits:
        histories = 2 * histories + now
        found = together.after(histories)
    for unit in [(0, 0), (7, 1), (15, 0)]:
        alone = course(CalciumModel.of(), bits[:, unit[0], unit[1]].tolist())
        np.testing.assert_allclose(found[unit], alone[-1], rtol=1e-12)


def test_calcium_decides():
    model = CalciumModel.of()
    astrocytes = Calcium(2, model)
    said = [astrocytes.observe(torch.tensor([[True, False]]))[0].tolist() for _ in range(8)]
    above = course(model, [1] * 8) > model.threshold
    assert [s[0] for s in said] == above.astype(int).tolist() and above.any() and not above.all()
    assert [s[1] for s in said] == [0, -1, -1, -1, -1, -1, -1, -1]


def test_another_file_is_another_astrocyte(tmp_path):
    """More glutamate in the file, and calcium crosses the threshold sooner."""
    path = tmp_path / "eager.toml"
    path.write_text(
        '[model]\nextends = "noise_induced_memory"\n'
        '[parameters]\nglutamate = { value = "3 uM/second" }\n'
    )
    crossing = [
        int(np.argmax(course(CalciumModel.of(name), [1] * 8) > 1.5e-4))
        for name in ("noise_induced_memory", str(path))
    ]
    assert crossing[1] < crossing[0]


def test_a_presentation_may_have_any_effect_that_the_file_gives_it(tmp_path):
    """The population's reset is the driving event: here it takes up IP3 at once."""
    path = tmp_path / "puff.toml"
    path.write_text(
        '[model]\nextends = "noise_induced_memory"\n'
        "[population.astrocyte]\nreset = 'IP3 += 0.5*uM'\n"
    )
    model = CalciumModel.of(str(path))
    puffs = [float(model._known[1]["IP3"])]
    for history in (3, 7):
        model.after(np.array([history]))
        puffs.append(float(model._known[history]["IP3"]))
    without = CalciumModel.of()
    without.after(np.array([2]))
    assert puffs[0] == pytest.approx(float(without._known[1]["IP3"]))
    assert puffs[2] > puffs[1] > float(without._known[2]["IP3"]) + 3e-4


def test_an_astrocyte_that_nothing_drives_is_refused(tmp_path):
    path = tmp_path / "deaf.toml"
    path.write_text(
        "[model]\nextends = \"noise_induced_memory\"\n[population.astrocyte]\nreset = ''\n"
    )
    with pytest.raises(UserError, match="'astrocyte' of 'deaf' has no driving event"):
        CalciumModel.of(str(path))


def test_a_model_without_such_an_astrocyte_is_refused():
    with pytest.raises(UserError, match="'tripartite_coba' has no astrocyte to take"):
        CalciumModel.of("tripartite_coba")


def test_too_many_presentations_are_refused():
    astrocytes = Calcium(2, CalciumModel.of())
    astrocytes._seen = MOST_PRESENTATIONS
    with pytest.raises(UserError, match="at most 62 presentations"):
        astrocytes.observe(torch.tensor([[True]]))
