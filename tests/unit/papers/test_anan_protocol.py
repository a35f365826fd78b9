"""The ANAN study's grid, folds, scores and choices."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

torch = pytest.importorskip("torch")
stats = pytest.importorskip("scipy.stats")

from neuroglia_snn.papers.anan import (  # noqa: E402  # noqa: E402
    AstrocyteModulated,
    data,
    grid,
    networks,
    protocol,
    report,
    training,
)


def unwatched(fraction: float) -> None:
    assert 0 <= fraction <= 1


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "name", ["percentage-mean", "percentage-max", "literal-mean", "literal-max", "calcium-mean"]
)
@pytest.mark.parametrize("layer", ["conv1", "conv2", "fc1"])
def test_the_grid_is_the_wrapped_network_at_each_point(name, layer):
    """Distinct sets of weights are tried once; the answers are those of the module, point by point."""
    torch.manual_seed(1)
    network = networks.ConvolutionalNetwork(1, 8, 2, blocks=2, width=4).double().eval()
    images = torch.rand(70, 1, 8, 8, dtype=torch.float64)  # more than a batch
    variant = protocol.VARIANTS[name]
    with torch.no_grad():
        found = grid.answers(network, layer, images, variant, unwatched)
        assert found.shape == (240, 70, 2)
        for index in np.random.default_rng(0).integers(0, 240, 8):
            modulated = AstrocyteModulated(
                network,
                layer,
                *grid.GRID[index],
                change=variant.change,
                activity=variant.activity,
                astrocytes=variant.astrocytes,
            )
            torch.testing.assert_close(found[index], modulated(images), rtol=1e-10, atol=1e-10)


def test_the_papers_grid():
    assert len(grid.GRID) == len(set(grid.GRID)) == 5 * 3 * 4 * 4
    for best in (
        (4, 2, 1.05, 0.30),
        (5, 4, 1.05, 0.05),
    ):  # of Table 2: b = 0.30 is not in the text's
        assert (best in grid.GRID) == (best[3] != 0.30)


def images(counts: tuple[int, int], tested: int) -> data.DataSet:
    labels = np.repeat([0, 1], counts)
    test = np.arange(len(labels)) % (len(labels) // tested) == 0
    return data.DataSet(
        "noise", np.zeros((len(labels), 4, 4, 1), np.uint8), labels, test, ("a", "b")
    )


def test_folds_part_the_training_images_evenly():
    found = images((40, 63), 20)
    folds = protocol._folds(found, 5, 3)
    assert np.array_equal(np.sum(folds, axis=0), ~found.test)
    for label in (0, 1):
        sizes = [int((found.labels[fold] == label).sum()) for fold in folds]
        assert max(sizes) - min(sizes) <= 1
    assert not np.array_equal(folds, protocol._folds(found, 5, 4))


def test_scores_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    generator = torch.Generator().manual_seed(0)
    for outputs in (1, 4):
        answers = torch.randn(50, outputs, generator=generator)
        labels = torch.randint(0, max(2, outputs), (50,), generator=generator)
        if outputs == 1:
            sure = answers[:, 0].sigmoid().numpy()
            chosen, average = (sure > 0.5).astype(int), "binary"
        else:
            sure, chosen, average = answers.softmax(1).numpy(), answers.argmax(1).numpy(), "macro"
        expected = [
            metrics.log_loss(labels, sure),
            metrics.accuracy_score(labels, chosen),
            metrics.f1_score(labels, chosen, average=average),
        ]
        np.testing.assert_allclose(training.scores(answers, labels), expected, rtol=1e-5)


def test_training_stops_by_the_papers_rule():
    """A loss that cannot fall stops training after 30 epochs beyond the best; the last weights stay."""
    torch.manual_seed(0)
    network = networks.ConvolutionalNetwork(1, 8, 1, blocks=1, width=2)
    noise, labels = torch.zeros(20, 1, 8, 8), torch.arange(20) % 2
    epochs = training.fit(
        network, (noise, labels), (noise, labels), 100, torch.Generator().manual_seed(0), unwatched
    )
    assert training.PATIENCE < epochs < 60


def made_up(f1: np.ndarray, loss: np.ndarray | None = None) -> xr.Dataset:
    """Scores of one variant with this F1, (seeds, folds, parts, points)."""
    seeds, folds, _, points = f1.shape
    scores = np.zeros((seeds, folds, 1, 2, points, 3))
    scores[:, :, 0, :, :, 2] = f1
    scores[:, :, 0, :, :, 0] = 0 if loss is None else loss
    dims = ("seed", "fold", "variant")
    return xr.Dataset(
        {
            "modulated": ((*dims, "part", "point", "score"), scores),
            "base": ((*dims, "part", "score"), np.full((seeds, folds, 1, 2, 3), 0.5)),
            "epochs": (dims, np.full((seeds, folds, 1), 31)),
        },
        coords={
            "seed": np.arange(seeds),
            "variant": ["percentage-mean"],
            "part": list(protocol.PARTS),
            "score": list(training.SCORES),
            **{n: ("point", np.arange(points)) for n in ("k", "mu", "a", "b")},
        },
    )


def test_parameters_are_chosen_without_a_look_at_the_test_set():
    random = np.random.default_rng(0)
    f1 = random.uniform(size=(3, 10, 2, 20))
    honest = report.choose(made_up(f1), "validation").values
    changed = f1.copy()
    changed[:, :, 1] = random.uniform(size=(3, 10, 20))
    assert np.array_equal(report.choose(made_up(changed), "validation").values, honest)
    assert honest[:, 0].tolist() == f1[:, :, 0].mean(1).argmax(1).tolist()
    flattering = report.choose(made_up(f1), "test").values
    assert flattering[:, 0].tolist() == f1[:, :, 1].mean(1).argmax(1).tolist()


def test_of_equal_points_the_one_with_the_lower_loss_is_chosen():
    f1, loss = np.full((1, 2, 2, 4), 0.8), np.broadcast_to([3.0, 2.0, 1.0, 2.0], (1, 2, 2, 4))
    assert report.choose(made_up(f1, loss), "test").values.item() == 2


def test_points_that_change_nothing_are_no_choice():
    f1 = np.broadcast_to([0.5, 0.4, 0.45], (1, 2, 2, 3))
    found = made_up(f1, np.broadcast_to([0.5, 0.6, 0.6], f1.shape))  # the first is the base's
    assert report.changing(found).values.tolist() == [[False, True, True]]
    chosen = {part: report.choose(found, part) for part in protocol.PARTS}
    assert chosen["validation"].values.item() == 2
    row = report.compare(found, "percentage-mean", chosen)
    assert row["f1_mean_over_grid"] == pytest.approx(0.425)
    assert row["seeds_better_without"] == 1


def test_on_noise_the_best_on_test_flatters_and_the_honest_choice_does_not():
    """Scores that depend on no parameter: 40 seeds of 10 folds at 240 points."""
    f1 = 0.5 + 0.02 * np.random.default_rng(1).standard_normal((40, 10, 2, 240))
    found = made_up(f1)
    chosen = {part: report.choose(found, part) for part in protocol.PARTS}
    row = report.compare(found, "percentage-mean", chosen)
    assert row["f1_p_chosen_on_test"] < 1e-10 and row["f1_difference_chosen_on_test"] > 0.01
    assert row["f1_p_chosen_on_validation"] > 0.001
    low, high = row["f1_low_chosen_on_validation"], row["f1_high_chosen_on_validation"]
    assert low < row["f1_difference_chosen_on_validation"] < high


def test_significance():
    assert report.signed_rank(np.zeros((2, 5))) == 1
    differences = np.arange(1.0, 11).reshape(2, 5)
    assert report.signed_rank(differences) == pytest.approx(2 / 2**10)
    assert report.confidence(np.array([0.1])) is None
    low, high = report.confidence(np.array([1.0, 2.0, 3.0]))
    assert (low + high) / 2 == pytest.approx(2) and high - 2 == pytest.approx(
        4.303 / 3**0.5, abs=1e-3
    )
    assert [report.stars(p) for p in (0.5, 0.049, 0.009)] == ["", "*", "**"]
