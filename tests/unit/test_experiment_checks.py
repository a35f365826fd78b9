"""What an experiment asks for is refused by `check`, in the words that a run would need."""

from __future__ import annotations

import pytest

from neuroglia_snn import checks
from neuroglia_snn.errors import UserError


@pytest.mark.parametrize(
    ("model", "key", "value", "said"),
    [
        ("fhn_classifier", "experiment.samples", "0", "samples is a whole number from 1 on, not 0"),
        ("fhn_classifier", "experiment.epochs", "-3", "epochs is a whole number from 1 on, not -3"),
        ("fhn_classifier", "experiment.samples", str(10**30), "'samples' is a number up to"),
        (
            "fhn_classifier",
            "experiment.input",
            "J",
            "input = 'J' is no input of 'unit' (it has: I)",
        ),
        ("fhn_classifier", "experiment.output", "I", "output = 'I' is no output of 'unit'"),
        (
            "fhn_classifier",
            "experiment.samples",
            "7",
            "no multiple of the step of 'unit', 0.002 ms",
        ),
        ("fhn_classifier", "experiment.transient", "1 us", "transient = 0.001 ms is no multiple"),
        ("fhn_classifier", "experiment.amplitude", "beta", "'beta' is no parameter"),
        ("fhn_classifier", "experiment.amplitude", "alpha - alpha", "'alpha - alpha' is 0"),
        ("fhn_classifier", "experiment.amplitude", "alpha +", "is not an expression"),
        ("fep_culture", "experiment.trials", "-1", "trials is a whole number from 1 on, not -1"),
        ("fep_culture", "model.duration", "0.99 s", "less than one session of 7.68 s"),
        ("fep_canonical", "experiment.trials", "0", "trials is a whole number from 1 on, not 0"),
        ("fep_canonical", "population.ensemble.threshold", "x > 1", "not the canonical network"),
        ("noise_induced_excitability", "experiment.spike", "t_drive", "a threshold from 0 on in"),
    ],
)
def test_what_no_run_can_carry_out(model, key, value, said):
    with pytest.raises(UserError) as error:
        checks.load_checked(model, {key: value})
    assert said in str(error.value)
