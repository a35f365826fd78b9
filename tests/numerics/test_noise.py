"""The counter-based noise: known answers, moments, independence, and C++ against NumPy."""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from neuroglia_snn import lanes, noise

N = 400_000


def sample(seed: int = 1, stream: int = 7, step: int = 0, size: int = N) -> np.ndarray:
    return noise.gaussian(seed, stream, np.arange(size), step)


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [  # known-answer vectors of the Random123 distribution for threefry2x32 with 13 rounds
        ((0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0xFD36D048, 0x2D17272C)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xBA3E4725, 0xF27D669E)),
    ],
)
def test_threefry_known_answers(key, counter, words):
    found = noise.threefry2x32(key, np.array(counter[0]), counter[1])
    assert tuple(int(w) for w in found) == words


def test_moments_up_to_the_fourth():
    x = np.concatenate([sample(step=step) for step in range(10)])
    # standard errors of the first four raw moments of a standard normal
    for order, (moment, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], start=1):
        assert abs(np.mean(x**order) - moment) < 4 * np.sqrt(variance / x.size), order


def test_quantiles_are_those_of_a_normal():
    """In every octave of the probability, and the moments of all 2^32 words together."""
    moments = np.zeros(4)
    for octave in range(31):
        count = min(2**octave, 2**18)  # evenly spaced words of the octave
        word = (2**octave + (np.arange(count) + 0.5) * (2**octave / count)).astype(np.uint32)
        z = noise._quantile(word)
        exact = stats.norm.isf(word / 2**32)
        np.testing.assert_allclose(z, exact, rtol=0, atol=4e-5)
        np.testing.assert_array_equal(noise._quantile(-word), -z)
        moments += [np.sum(z**n) * (2**octave / count) / 2**31 for n in (1, 2, 3, 4)]
    half_normal = [np.sqrt(2 / np.pi), 1, 2 * np.sqrt(2 / np.pi), 3]
    np.testing.assert_allclose(moments, half_normal, rtol=5e-6)
    ends = noise._quantile(np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1], np.uint32))
    np.testing.assert_allclose(ends, [6.12, 6.23, 0, 0, -6.23], rtol=0, atol=0.01)


def test_both_numbers_of_one_word_are_independent():
    word = np.random.default_rng(1).integers(2**32, size=2**24, dtype=np.uint32)
    one, other = noise._quantile(word), noise._quantile(word.byteswap())
    limit = 4 / np.sqrt(word.size)
    for power in (1, 2):
        for other_power in (1, 2):
            assert abs(np.corrcoef(one**power, other**other_power)[0, 1]) < limit
    assert stats.kstest((one + other)[:N] / np.sqrt(2), "norm").pvalue > 1e-3
    tail = np.arange(2**16, dtype=np.uint32)  # all words beyond 4.17 standard deviations
    assert noise._quantile(tail).min() > 4.16
    other = noise._quantile(tail.byteswap())
    assert abs(other.mean()) < 0.001 and abs(other.var() - 1) < 0.001


def test_numbers_stay_what_they_are():
    """A seed's noise is part of every published run: another one needs another version number."""
    found = noise.gaussian(4294967290, 3735928559, np.arange(4096), 2**33 + 5)
    assert zlib.crc32(found.tobytes()) == 0xFD39C0BF
    places = 0
    for shape in [(n, m) for n in range(1, 161) for m in (1, 7, 16, 40, 131, 600)] + [
        (n,) for n in range(1, 300)
    ]:
        places = zlib.crc32(lanes.places(shape).astype("<u4"), places)
    assert places == 0x4B371407


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


def test_the_four_numbers_of_one_counter_are_independent():
    """Units a multiple of 16 apart within a block share random bits."""
    x = np.concatenate([sample(step=step, size=N // 64 * 64) for step in range(4)])
    parts = x.reshape(-1, 4, 16).transpose(1, 0, 2).reshape(4, -1)
    limit = 4 / np.sqrt(parts.shape[1])
    for power in (1, 2, 3):
        correlation = np.corrcoef(parts**power)
        assert np.abs(correlation - np.eye(4)).max() < limit, power
    assert stats.kstest(parts.sum(axis=0) / 2, "norm").pvalue > 1e-3
    assert stats.kstest((parts[0] - parts[1]) / np.sqrt(2), "norm").pvalue > 1e-3


def test_seeds_of_replicas_give_a_flat_spectrum_along_seeds():
    """Replicas have consecutive seeds: nothing may repeat or drift along them."""
    x = np.array([sample(seed=seed, size=64) for seed in range(4096)])
    power = np.abs(np.fft.rfft(x, axis=0)[1:-1]) ** 2 / len(x)
    assert stats.kstest(power.ravel(), "expon").pvalue > 1e-3
    assert len(np.unique(x[:, 0])) > 4080  # 2^32 values


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


def test_units_are_as_unrelated_as_random_numbers_are():
    """Eigenvalues of their covariance (Marchenko and Pastur, 1967), and the spread of correlations of powers."""
    units, steps = 1024, 4096
    x = np.array([noise.gaussian(0, 7, np.arange(units), step) for step in range(steps)])
    largest = (1 + np.sqrt(units / steps)) ** 2
    smallest = (1 - np.sqrt(units / steps)) ** 2
    found = np.linalg.eigvalsh(np.cov(x.T))
    assert 0.97 * smallest < found[0] and found[-1] < 1.02 * largest
    pairs = np.triu_indices(units, 1)
    for power in (1, 2, 3):
        correlation = np.corrcoef((x**power).T)[pairs] * np.sqrt(steps)
        assert abs(correlation.std() - 1) < 4 / np.sqrt(2 * len(correlation)), power
        assert power == 3 or np.abs(correlation).max() < 6.5  # of cubes random numbers reach 11


@pytest.mark.parametrize("seed", [0, 5, noise.MAX_SEED])
def test_seeds_that_differ_in_one_bit_give_unrelated_numbers(seed):
    def numbers(seed):
        return np.array([sample(seed, step=step, size=1024) for step in range(32)]).ravel()

    x, limit = numbers(seed), 4.5 / np.sqrt(2**15)
    for other in (numbers(seed ^ 1 << bit) for bit in range(32)):
        assert abs(np.mean(x * other)) < limit
        assert abs(np.mean((x**2 - 1) * (other**2 - 1))) < 2 * limit


def relations_between_units(pairs: int = 24, steps: int = 2**14) -> tuple[float, float]:
    """How far bits of two units' words differ in half of the steps: chi2/n of pairs, and between two steps."""
    random = np.random.default_rng(1)
    x0, x1 = random.integers(2**32, size=(2, steps), dtype=np.uint32)  # what comes from the steps
    apart = random.integers(2**32, size=2, dtype=np.uint32)
    found: tuple[list[float], list[float]] = ([], [])

    for _ in range(pairs):
        counters = random.choice(4420, 2, replace=False).astype(np.uint32)
        units = [noise._of_counter(c) for c in counters[:, None]]
        later = [np.stack(noise._mixed(x0 + a + apart[0], x1 + b + apart[1])) for a, b in units]
        now = [np.stack(noise._mixed(x0 + a, x1 + b)) for a, b in units]
        pair = now[0] ^ now[1]
        for where, bits in zip(found, (pair, pair ^ later[0] ^ later[1]), strict=True):
            for bit in range(32):
                ones = np.count_nonzero(bits >> np.uint32(bit) & np.uint32(1), axis=1)
                where.extend((ones - steps / 2) ** 2 / (steps / 4))
    return float(np.mean(found[0])), float(np.mean(found[1]))


def test_two_units_that_meet_the_same_steps_are_not_related(monkeypatch):
    """Their words are made of sums with the same numbers of the steps, and with too few rounds one would see it."""
    limit = 1 + 4.5 * np.sqrt(2 / (24 * 64))
    assert max(relations_between_units()) < limit
    monkeypatch.setattr(noise, "PLAIN_ROUNDS", 4)
    assert max(relations_between_units()) > 1.5 * limit


def test_a_number_depends_on_nothing_else():
    some = np.array([5, 0, 130])
    np.testing.assert_array_equal(noise.gaussian(9, 3, some, 77), sample(9, 3, 77, size=200)[some])


def test_one_number_needs_no_headers_of_its_own(tmp_path):
    """Brian2 puts the code of functions into a namespace."""
    headers = "".join(f"#include {h}\n" for h in noise.CPP_HEADERS)
    (tmp_path / "a.cpp").write_text(f"{headers}namespace {{\n{noise.CPP}\n}}\n")
    subprocess.run(["g++", "-march=native", "-c", "a.cpp"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("machine", ["", "-march=native", "-mavx2 -mfma"])
def test_cpp_gives_the_same_numbers(tmp_path, machine):
    """One by one and in blocks, of both precisions; the lookups of every width of registers."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    if "avx2" in machine and not {"avx2", "fma"} <= set(flags):
        pytest.skip("no AVX2 is known of this processor")
    headers = "".join(f"#include {h}\n" for h in noise.CPP_HEADERS)
    (tmp_path / "a.cpp").write_text(f"""{headers}#include <cstdio>
{noise.CPP}
{noise.CPP_BLOCKS}
int main() {{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    const int fused = 1;
#else
    const int fused = 0;
#endif
    static uint32_t scrambled[32*32];
    neuroglia_scramble(scrambled, 32);
    const int64_t steps[] = {{0, 1, 749999, 4294967295LL, 4294967296LL, 12884901889LL}};
    for (int64_t step : steps) for (int block = 0; block < 32; block++)
    {{
        double z[{noise.BLOCK}]; float s[{noise.BLOCK}];
        const NeurogliaWords of_step = neuroglia_of_step(4294967290u, 3735928559u, step);
        neuroglia_normals(z, scrambled + 32*block, 1, of_step);
        neuroglia_normals(s, scrambled + 32*block, 1, of_step);
        for (int i = 0; i < {noise.BLOCK}; i++)
            printf("%d %.17g %.17g %.17g\\n", fused, z[i], s[i],
                   neuroglia_gaussian(4294967290.0, 3735928559.0, block*{noise.BLOCK} + i, step));
    }}
}}""")
    subprocess.run(
        [
            "g++",
            "-O3",
            "-ffast-math",
            "-fno-finite-math-only",
            "-std=c++11",
            *machine.split(),
            "a.cpp",
            "-o",
            "a",
        ],
        cwd=tmp_path,
        check=True,
    )
    said = subprocess.run([tmp_path / "a"], capture_output=True, text=True, check=True).stdout
    fused, *found = np.array(said.split(), float).reshape(-1, 4).T
    steps = [0, 1, 749999, 2**32 - 1, 2**32, 3 * 2**32 + 1]
    units = np.arange(32 * noise.BLOCK)
    expected = np.concatenate(
        [noise.gaussian(4294967290, 3735928559, units, step) for step in steps]
    )
    for numbers in found:
        if fused.all():
            np.testing.assert_array_equal(numbers, expected)
        else:  # sums are rounded twice a power
            np.testing.assert_allclose(numbers, expected, rtol=0, atol=1e-6)
