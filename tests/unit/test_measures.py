"""Accuracy and spike counts of results."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuroglia_snn.errors import UserError
from neuroglia_snn.measures import memory_accuracy, spread_over_seeds
from neuroglia_snn.papers.noise_memory.measures import mean_field_spikes

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=8)


@st.composite
def patterns(draw):
    """A boolean pattern that is neither empty nor full."""
    pattern = draw(hnp.arrays(bool, draw(SHAPES)))
    pattern.flat[0], pattern.flat[-1] = True, False
    return pattern


@st.composite
def responses_and_patterns(draw):
    pattern = draw(patterns())
    return draw(hnp.arrays(bool, pattern.shape)), pattern


FINITE = st.floats(-3, 3)
SERIES = hnp.arrays(float, st.integers(0, 40), elements=FINITE)


def test_the_accuracy_is_the_mean_of_the_two_rates():
    pattern = [[1, 1, 1, 1], [0, 0, 0, 0]]
    response = [[1, 1, 1, 0], [0, 0, 1, 1]]
    assert memory_accuracy(response, pattern) == pytest.approx((3 / 4 + 2 / 4) / 2)


@given(patterns())
def test_the_pattern_itself_is_perfect_recall(pattern):
    assert memory_accuracy(pattern, pattern) == 1.0


@given(patterns())
def test_the_complement_is_the_worst_recall(pattern):
    assert memory_accuracy(~pattern, pattern) == 0.0


@given(patterns(), st.booleans())
def test_silence_and_flooding_are_half_right(pattern, flooded):
    assert memory_accuracy(np.full(pattern.shape, flooded), pattern) == 0.5


@given(responses_and_patterns(), st.randoms(use_true_random=False))
def test_the_accuracy_does_not_depend_on_where_the_pixels_are(pair, random):
    response, pattern = pair
    order = list(range(pattern.size))
    random.shuffle(order)
    permuted = memory_accuracy(response.ravel()[order], pattern.ravel()[order])
    assert permuted == memory_accuracy(response, pattern)


@given(responses_and_patterns())
def test_inverting_the_response_mirrors_the_accuracy(pair):
    response, pattern = pair
    assert memory_accuracy(~response, pattern) == pytest.approx(
        1 - memory_accuracy(response, pattern)
    )


@given(responses_and_patterns())
def test_inverting_response_and_pattern_keeps_the_accuracy(pair):
    response, pattern = pair
    assert memory_accuracy(~response, ~pattern) == memory_accuracy(response, pattern)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_zeros_and_ones_of_any_type_are_indicators(dtype):
    pattern = np.array([[1, 0], [0, 1]], dtype)
    accuracy = memory_accuracy(pattern, pattern)
    assert accuracy == 1.0
    assert type(accuracy) is float


@pytest.mark.parametrize("value", [True, False])
def test_an_empty_or_full_pattern_has_no_accuracy(value):
    with pytest.raises(UserError, match="both stimulated and unstimulated"):
        memory_accuracy(np.zeros((2, 2), bool), np.full((2, 2), value))


def test_a_pattern_without_pixels_has_no_accuracy():
    with pytest.raises(UserError, match="both stimulated and unstimulated"):
        memory_accuracy(np.zeros((0, 2), bool), np.zeros((0, 2), bool))


def test_the_accuracy_needs_equal_shapes_even_if_they_broadcast():
    with pytest.raises(UserError, match=r"\(2,\).*\(2, 2\)"):
        memory_accuracy([True, False], [[True, False], [True, False]])


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan])
def test_the_accuracy_refuses_values_that_are_no_indicators(value):
    with pytest.raises(UserError, match="response has values other than 0 and 1"):
        memory_accuracy([value, 0], [1, 0])
    with pytest.raises(UserError, match="pattern has values other than 0 and 1"):
        memory_accuracy([1, 0], [value, 0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_diverged_series_is_not_taken_for_a_silent_one(value):
    with pytest.raises(UserError, match="mean field has values that are not finite"):
        mean_field_spikes([0.0, value], 2.0, 1.0)


@pytest.mark.parametrize("level", [np.nan, np.inf])
def test_levels_are_finite(level):
    with pytest.raises(UserError, match="threshold has to be finite"):
        mean_field_spikes([0.0], level, 0.0)
    with pytest.raises(UserError, match="rearming level has to be finite"):
        mean_field_spikes([0.0], 0.0, level)


@pytest.mark.parametrize(
    ("mean_u", "spikes"),
    [
        ([], 0),
        ([0, 0, 0], 0),
        ([0, 3, 0, 3, 0], 2),
        ([0, 3, 1.5, 3, 1.5, 3, 0], 1),  # noise about the threshold on one upstroke
        ([0, 3, 1.0, 3], 1),  # at the rearming level is not below it
        ([0, 2.0, 0], 0),  # at the threshold is not above it
        ([3, 0], 0),  # begins within a spike
        ([3, 1.5, 3, 0, 3], 1),
        ([1.5, 3, 0], 1),  # begins between the levels
        ([1.5, 1.5], 0),
    ],
)
def test_mean_field_spikes_with_hysteresis(mean_u, spikes):
    count = mean_field_spikes(mean_u, threshold=2.0, rearm=1.0)
    assert count == spikes
    assert type(count) is int


@given(SERIES, FINITE, FINITE)
def test_mean_field_spikes_agree_with_a_loop_over_time(mean_u, level, other_level):
    rearm, threshold = sorted((level, other_level))
    expected, armed = 0, mean_u.size > 0 and mean_u[0] <= threshold
    for value in mean_u:
        if value > threshold and armed:
            expected, armed = expected + 1, False
        elif value < rearm:
            armed = True
    assert mean_field_spikes(mean_u, threshold, rearm) == expected


@given(SERIES, FINITE, FINITE)
def test_hysteresis_never_adds_spikes(mean_u, level, other_level):
    rearm, threshold = sorted((level, other_level))
    upstrokes = np.count_nonzero((mean_u[1:] > threshold) & (mean_u[:-1] <= threshold))
    assert mean_field_spikes(mean_u, threshold, rearm) <= upstrokes


def test_the_mean_field_is_one_series():
    with pytest.raises(UserError, match="one series"):
        mean_field_spikes(np.zeros((3, 2)), 2.0, 1.0)


def test_the_rearming_level_lies_below_the_threshold():
    with pytest.raises(UserError, match=r"rearming level 3.0 lies above the threshold 2.0"):
        mean_field_spikes([0.0], 2.0, 3.0)


def test_the_spread_over_seeds_is_that_of_a_sample():
    values = xr.DataArray([[1.0, 2.0, 4.0], [1.0, np.nan, 2.0], [np.nan, np.nan, 3.0]])
    values = values.rename(dim_0="point", dim_1="seed")
    expected = [np.std([1, 2, 4], ddof=1), np.std([1, 2], ddof=1), np.nan]
    np.testing.assert_allclose(spread_over_seeds(values), expected)
    np.testing.assert_allclose(
        spread_over_seeds(values, skipna=False), [expected[0], np.nan, np.nan]
    )
