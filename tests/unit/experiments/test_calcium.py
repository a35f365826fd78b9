"""Li-Rinzel astrocytes read from a model file: against Brian2, and following the file."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from brian2 import Network, NeuronGroup, defaultclock, prefs, second  # noqa: E402

from neuroglia_snn import UserError, equations, load, stability  # noqa: E402
from neuroglia_snn.experiments.modulation.calcium import (  # noqa: E402
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


def test_calcium_follows_the_equations_as_brian2_does():
    """The file's astrocyte population in Brian2 (Runge-Kutta, 1 ms), driven by the same events."""
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
        method="rk4",
        namespace=namespace,
    )
    start = stability.initial_values(source, glia)
    for name in ("Ca", "IP3", "h"):
        setattr(group, f"{name}_", start[name])
    group.last_drive_ = -1e9
    network, expected = Network(group), []
    for presentation in np.array(HISTORIES).T:
        group.last_drive_[presentation == 1] = float(network.t)
        network.run(0.1 * second)
        expected.append(np.array(group.Ca_))
    model = CalciumModel.of()
    found = np.array([course(model, history) for history in HISTORIES]).T
    np.testing.assert_allclose(found, expected, rtol=5e-3)
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


def test_a_model_without_such_an_astrocyte_is_refused():
    with pytest.raises(UserError, match="'tripartite_coba' has no astrocyte to take"):
        CalciumModel.of("tripartite_coba")


def test_too_many_presentations_are_refused():
    astrocytes = Calcium(2, CalciumModel.of())
    astrocytes._seen = MOST_PRESENTATIONS
    with pytest.raises(UserError, match="at most 62 presentations"):
        astrocytes.observe(torch.tensor([[True]]))
