"""The counter-based noise: known answers, moments, independence, and C++ against NumPy."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from scipy import stats

from neuroglia_snn import noise

N = 400_000


def sample(seed: int = 1, stream: int = 7, step: int = 0, size: int = N) -> np.ndarray:
    return noise.gaussian(seed, stream, np.arange(size), step)


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [  # known-answer vectors of the Random123 distribution for philox2x32-10
        (0x00000000, (0x00000000, 0x00000000), (0xFF1DAE59, 0x6CD10DF2)),
        (0xFFFFFFFF, (0xFFFFFFFF, 0xFFFFFFFF), (0x2C3F628B, 0xAB4FD7AD)),
        (0x13198A2E, (0x243F6A88, 0x85A308D3), (0xDD7CE038, 0xF62A4C12)),
    ],
)
def test_philox_known_answers(key, counter, words):
    assert tuple(int(w) for w in noise.philox2x32(key, np.array(counter[0]), counter[1])) == words


def test_moments_up_to_the_fourth():
    x = np.concatenate([sample(step=step) for step in range(10)])
    # standard errors of the first four raw moments of a standard normal
    for order, (moment, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], start=1):
        assert abs(np.mean(x**order) - moment) < 4 * np.sqrt(variance / x.size), order


def test_distribution_is_normal():
    assert stats.kstest(sample(), "norm").pvalue > 1e-3
    assert stats.kstest(noise.gaussian(1, 7, np.array([5]), 0), "norm").pvalue > 1e-6


def test_along_time_of_one_unit_is_normal():
    x = np.array([noise.gaussian(3, 7, np.array([11]), step)[0] for step in range(5000)])
    assert stats.kstest(x, "norm").pvalue > 1e-3


def test_tails_reach_as_far_as_they_should():
    x = np.concatenate([sample(step=step) for step in range(10)])
    expected = 2 * stats.norm.sf(4) * x.size
    assert abs(np.sum(np.abs(x) > 4) - expected) < 5 * np.sqrt(expected)
    assert np.abs(x).max() < 6.8  # 32-bit uniforms end at 6.66


@pytest.mark.parametrize(
    "other",
    [
        sample()[np.r_[1:N, 0]],  # neighbouring units
        sample()[np.r_[130:N, 0:130]],  # neighbouring rows of the lattice
        sample(step=1),
        sample(step=2**32),
        sample(seed=2),
        sample(seed=2**31),
        sample(stream=8),
    ],
    ids=["unit", "row", "step", "far-step", "seed", "far-seed", "stream"],
)
def test_no_correlation(other):
    x = sample()
    limit = 4 / np.sqrt(N)
    assert abs(np.corrcoef(x, other)[0, 1]) < limit
    assert abs(np.corrcoef(x**2, other**2)[0, 1]) < limit


def test_a_number_depends_on_nothing_else():
    some = np.array([5, 0, 130])
    np.testing.assert_array_equal(noise.gaussian(9, 3, some, 77), sample(9, 3, 77, size=200)[some])


def test_cpp_gives_the_same_numbers(tmp_path):
    headers = "".join(f"#include {h}\n" for h in noise.CPP_HEADERS)
    (tmp_path / "a.cpp").write_text(f"""{headers}#include <cstdio>
{noise.CPP}
int main() {{
    const int64_t steps[] = {{0, 1, 749999, 4294967295LL, 4294967296LL, 12884901889LL}};
    for (int64_t step : steps) for (int i = 0; i < 2000; i++)
        printf("%.17g\\n", neuroglia_gaussian(4294967290.0, 3735928559.0, i, step));
}}""")
    subprocess.run(
        ["g++", "-O3", "-ffast-math", "-fno-finite-math-only", "-std=c++11", "a.cpp", "-o", "a"],
        cwd=tmp_path,
        check=True,
    )
    said = subprocess.run([tmp_path / "a"], capture_output=True, text=True, check=True).stdout
    steps = [0, 1, 749999, 2**32 - 1, 2**32, 3 * 2**32 + 1]
    expected = np.concatenate(
        [noise.gaussian(4294967290, 3735928559, np.arange(2000), step) for step in steps]
    )
    np.testing.assert_allclose(np.array(said.split(), float), expected, rtol=0, atol=1e-13)
