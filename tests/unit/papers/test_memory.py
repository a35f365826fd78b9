"""What the memory experiment shows, by the model file's own settings."""

from __future__ import annotations

import numpy as np
import pytest

from neuroglia_snn import checks
from neuroglia_snn.errors import ModelError
from neuroglia_snn.papers.noise_memory import patterns
from neuroglia_snn.papers.noise_memory.memory import prepare_images


def shown(**settings: str):
    overrides = {f"experiment.{name}": value for name, value in settings.items()}
    model, _ = checks.load_checked("noise_induced_memory", overrides)
    return prepare_images(model, {}, False, 3)


def test_noise_of_images_is_the_experiments():
    """Salt and pepper makes half of the pixels that it hits white, half black."""
    digit = patterns.render_digit_one()
    usual = shown()
    assert np.mean(usual.train != digit) == pytest.approx(0.05, abs=0.005)
    assert np.mean(usual.test != digit) == pytest.approx(0.20, abs=0.01)
    clean = shown(train_noise="0", test_noise="0.0")
    assert np.array_equal(clean.train, digit) and np.array_equal(clean.test, digit)
    assert np.array_equal(clean.clean, digit)


def test_a_novel_cue_is_compared_with_itself():
    novel = shown(test_pattern="disjoint")
    assert np.array_equal(novel.train, shown().train)
    assert np.array_equal(novel.clean, patterns.render_disjoint())
    assert not (novel.clean & patterns.render_digit_one()).any()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train_noise", "1.5", "train_noise is a fraction, not 1.5"),
        ("test_noise", "-0.1", "test_noise is a fraction, not -0.1"),
        ("test_noise", "much", "'test_noise' in .experiment. must be"),
        ("train_noise", "true", "'train_noise' in .experiment. must be"),
        ("test_pattern", "novel", "test_pattern is trained or disjoint, not 'novel'"),
    ],
)
def test_nonsense_is_refused(key, value, said):
    with pytest.raises(ModelError, match=said):
        shown(**{key: value})
