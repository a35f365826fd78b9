"""Every network: the catalogue's model, run and set beside the published numbers or another program's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from neuroglia_snn import checks
from neuroglia_snn.experiments.work import Section
from neuroglia_snn.papers.figures import Figure
from neuroglia_snn.papers.jobs import RunJob, Setting
from neuroglia_snn.papers.network_benchmarks import brunel
from neuroglia_snn.papers.samples import Sample, table
from neuroglia_snn.results.style import (
    BEHIND,
    COLUMN,
    CONTROL,
    COUNTS,
    MODEL,
    PAGE,
    REFERENCE,
    bare,
    save,
    subplots,
)

#: Spikes of a neuron in 1 s of Brian2's NumPy code, which draws other numbers for a seed (docs/explanation/networks.md).
BRIAN2 = {
    "coba": Sample(18.7, 0.8, 8),
    "cuba": Sample(5.53, 0.14, 8),
    "cobahh": Sample(34.9, 0.5, 2),
}
#: States of Brunel's figure 8, and what sets them.
STATES: Mapping[str, Mapping[str, str]] = {
    "A, synchronous regular": {"g": "3", "ratio": "2"},
    "B, fast oscillation": {"g": "6", "ratio": "4"},
    "C, asynchronous irregular": {"g": "5", "ratio": "2"},
    "D, slow oscillation": {"g": "4.5", "ratio": "0.9"},
}
#: Diehl and Cook: an image (ms), and how many digits there are.
IMAGE, DIGITS = 500.0, 10


def figures(quick: bool) -> dict[str, Figure]:
    """By name."""
    seeds = {"coba": 8, "cuba": 8, "cobahh": 2} if quick else {"coba": 24, "cuba": 24, "cobahh": 8}
    random = {name: _random_network(name, count) for name, count in seeds.items()}
    learning = RunJob(
        "vogels", "vogels_2011", {"model.duration": "10 second" if quick else "60 second"}
    )
    states = {
        state: RunJob(f"brunel-{state[0]}", "brunel_2000", {**settings, "model.duration": "500 ms"})
        for state, settings in STATES.items()
    }
    digits = RunJob("diehl-cook", "diehl_cook")
    return {
        **random,
        "vogels": Figure([learning], partial(vogels, learning)),
        "brunel": Figure([*states.values()], partial(brunels_states, states)),
        "diehl-cook": Figure([digits], partial(diehl_cook, digits)),
    }


def _random_network(name: str, seeds: int) -> Figure:
    several, one = RunJob(f"{name}-seeds", name, replicas=seeds), RunJob(name, name)
    return Figure([several, one], partial(random_network, several, one))


def random_network(several: RunJob, one: RunJob, setting: Setting) -> Section:
    """COBA, CUBA or COBAHH."""
    rates = [run["spikes_rate_Hz"] for run in several.summary(setting)["replicas"]]
    found = Sample.of(rates)
    data = one.data(setting)
    figure, axes = subplots(2, 1, (COLUMN, 3), sharex=True, height_ratios=(3, 1))
    axes[0].plot(data["spikes_time"], data["spikes_unit"], ",", color="k")
    axes[0].set(ylabel="neuron")
    axes[1].hist(data["spikes_time"], bins=200, range=(0, 1000), color=MODEL)
    axes[1].set(ylabel="spikes in 5 ms", xlabel="time (ms)", xlim=(0, 1000))
    path = save(figure, setting.work.folder / f"{one.name}")
    name = "spikes of a neuron in 1 s"
    return Section(
        f"{one.model.upper()}: {one.data(setting).attrs['title'].partition(': ')[2]}",
        "Brette et al. (2007) compare simulators by these networks, 4000 neurons with 2 % of all connections."
        f" Mean ± standard deviation (seeds).{_lived(rates)}",
        [path],
        table({name: found}, {name: BRIAN2[one.model]}, "Brian2's run of a script"),
        {"rate_Hz": found.mean, "standard_deviation_Hz": found.spread},
    )


def _lived(rates: list[float]) -> str:
    quiet = sum(rate < 1 for rate in rates)
    return f" Activity sustained itself for 1 s in {len(rates) - quiet} of {len(rates)} runs."


def vogels(job: RunJob, setting: Setting) -> Section:
    """Rates while inhibition learns."""
    data = job.data(setting)
    model, _ = checks.load_checked(job.model, dict(job.settings))
    seconds = round(model.duration)
    times, units = data["spikes_time"].values / 1e3, data["spikes_unit"].values
    counts = np.zeros((seconds, 10_000))
    np.add.at(counts, (np.minimum(times.astype(int), seconds - 1), units), 1)
    excitatory, inhibitory = counts[:, :8000], counts[:, 8000:]
    shown = [n for n in (0, 1, 5, 9, 29, 59) if n < seconds]
    rows = [
        [
            f"{n} to {n + 1} s",
            f"{excitatory[n].mean():.1f} ± {excitatory[n].std(ddof=1):.1f}",
            f"{inhibitory[n].mean():.1f}",
        ]
        for n in shown
    ]
    figure, axes = subplots(1, 2, (PAGE, 2.6))
    axes[0].plot(np.arange(seconds) + 0.5, excitatory.mean(axis=1), color=MODEL, label="excitatory")
    axes[0].plot(
        np.arange(seconds) + 0.5, inhibitory.mean(axis=1), color=CONTROL, label="inhibitory"
    )
    axes[0].axhline(3, color=REFERENCE, ls="--", lw=0.8, label="target")
    axes[0].set(yscale="log", xlabel="time (s)", ylabel="rate (Hz)")
    axes[0].legend()
    for n, colour in zip((1, seconds - 1), (BEHIND, MODEL), strict=True):
        axes[1].hist(excitatory[n], bins=40, color=colour, alpha=0.8, label=f"{n} to {n + 1} s")
    axes[1].set(xlabel="rate of an excitatory neuron (Hz)", ylabel="neurons")
    axes[1].legend()
    path = save(figure, setting.work.folder / "vogels")
    return Section(
        "Vogels et al. 2011: inhibitory synapses that learn to balance",
        "The rule's fixed point is the target of 3 Hz; nothing is learnt in the first second. Mean ± standard"
        " deviation over neurons (Hz). The paper gives no numbers for this network, and its assemblies are not in it.",
        [path],
        (["", "excitatory", "inhibitory"], rows),
        {f"excitatory_rate_at_{n}_s_Hz": float(excitatory[n].mean()) for n in shown},
    )


def brunels_states(jobs: Mapping[str, RunJob], setting: Setting) -> Section:
    """Rates of the four states, and the frequency of their common oscillation."""
    figure, axes = subplots(len(jobs), 1, (COLUMN, 4.2), sharex=True)
    rows: list[list[str]] = []
    values: dict[str, float | int | None] = {}
    for axis, (state, job) in zip(axes, jobs.items(), strict=True):
        data = job.data(setting)
        model, _ = checks.load_checked(job.model, dict(job.settings))
        size = model.populations["neuron"].size
        times = data["spikes_time"].values
        late = times[times >= 100] - 100
        rate = len(late) / size / 0.4
        frequency = _peak(late)
        theory = brunel.stationary_rate(model)
        rows.append([state, f"{rate:.1f}", f"{frequency:.0f}", f"{theory:.1f}"])
        values |= {f"{state[0]}_rate_Hz": rate, f"{state[0]}_theory_Hz": theory}
        counts, edges = np.histogram(times, bins=np.arange(0, 500.5, 0.5))
        axis.plot(edges[:-1], counts / size / 0.5e-3, color=MODEL, lw=0.7)
        axis.set(ylabel="rate (Hz)", xlim=(100, 300), ylim=(0, None))
        axis.set_title(state, loc="left")
    axes[-1].set(xlabel="time (ms)")
    path = save(figure, setting.work.folder / "brunel")
    return Section(
        "Brunel 2000: the four states of a sparse network",
        "Rates after 100 ms, over 400 ms; the frequency at which the activity of all neurons has its peak; and the"
        " stationary rate by the paper's mean-field theory (eqs. 21 and 22), which knows no oscillation: it is meant"
        " for states B to D.",
        [path],
        (["state", "rate (Hz)", "oscillation (Hz)", "theory (Hz)"], rows),
        values,
    )


def _peak(times: np.ndarray) -> float:
    """The frequency (Hz) at which the spectrum of all spikes (ms, over 400 ms) is highest, above 5 Hz."""
    counts, _ = np.histogram(times, bins=np.arange(0, 400.5, 0.5))
    power = np.abs(np.fft.rfft(counts - counts.mean())) ** 2
    frequencies = np.fft.rfftfreq(len(counts), 0.5e-3)
    band = frequencies > 5
    return float(frequencies[band][np.argmax(power[band])])


def diehl_cook(job: RunJob, setting: Setting) -> Section:
    """Images that are told apart after learning, and what the neurons have learnt."""
    data = job.data(setting)
    model, _ = checks.load_checked(job.model)
    neurons = model.populations["excitatory"].size
    images = round(model.duration * 1e3 / IMAGE)
    counts = np.zeros((images, neurons))
    shown = np.minimum((data["spikes_time"].values / IMAGE).astype(int), images - 1)
    np.add.at(counts, (shown, data["spikes_unit"].values), 1)
    digit = np.arange(images) % DIGITS
    labelled, tested = (slice(images // 2, images * 3 // 4), slice(images * 3 // 4, images))
    answers = np.array([counts[labelled][digit[labelled] == d].mean(axis=0) for d in range(DIGITS)])
    label = answers.argmax(axis=0)
    members = np.array([label == d for d in range(DIGITS)])
    votes = counts[tested] @ members.T / np.maximum(members.sum(axis=1), 1)
    right = votes.argmax(axis=1) == digit[tested]
    weights = data["weights_w"].values[-1].reshape(-1, neurons).T
    columns = 5
    figure, axes = subplots(-(-neurons // columns), columns, (COLUMN, 3.8))
    for axis, one, number in zip(axes.flat, weights, label, strict=True):
        axis.imshow(one.reshape(28, 28), cmap=COUNTS, vmin=0)
        axis.set_title(f"{number}")
        bare(axis)
    path = save(figure, setting.work.folder / "diehl-cook")
    return Section(
        "Diehl and Cook 2015, in small: digits learnt without labels",
        "Weights of the excitatory neurons, each with the digit to which it answers most in the third quarter of the"
        " run; in the last quarter, neurons vote. The paper's largest network, of 6400 neurons, reads 95 % of MNIST,"
        " which is not run here: ten made digits are told apart.",
        [path],
        (["images of the last quarter", "right"], [[str(len(right)), str(int(right.sum()))]]),
        {
            "tested": len(right),
            "right": int(right.sum()),
            "digits_that_a_neuron_answers": len(set(label)),
        },
    )
