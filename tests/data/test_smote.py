import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.neighbors import NearestNeighbors

from osler.data.arrays import ArrayDataSet
from osler.data.loader import Loader
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.data.smote import oversample, smote
from osler.structures.errors import DataError

POINTS = np.random.default_rng(0).normal(size=(40, 3))


def rng():
    return np.random.default_rng(1)


@pytest.mark.craft("DA14")
def test_every_synthetic_sample_lies_between_a_sample_and_one_of_its_neighbours():
    made = smote(POINTS, percent=300, neighbours=5, random=rng())
    assert made.shape == (120, 3)
    near = NearestNeighbors(n_neighbors=5).fit(POINTS).kneighbors(return_distance=False)
    for k, point in enumerate(made):
        seed = POINTS[k // 3]
        gaps = []
        for neighbour in POINTS[near[k // 3]]:
            line = neighbour - seed
            gap = (point - seed) @ line / (line @ line)
            if np.allclose(seed + gap * line, point):
                gaps.append(gap)
        assert any(0 <= gap <= 1 for gap in gaps)


def test_gaps_are_spread_over_the_line_and_all_neighbours_are_used():
    line = np.array([[0.0, 0], [1, 0]])
    made = smote(line, percent=20_000, random=rng())
    along = made[:200, 0]
    assert (made[:, 1] == 0).all()
    assert (along.min(), along.max()) == pytest.approx((0, 1), abs=0.03)
    assert along.mean() == pytest.approx(0.5, abs=0.08)
    star = np.array([[0.0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    directions = np.sign(smote(star, percent=10_000, neighbours=4, random=rng())[:100]).astype(int)
    assert {tuple(d) for d in directions} == {(1, 0), (-1, 0), (0, 1), (0, -1)}


def test_below_100_percent_some_samples_give_one():
    assert smote(POINTS, percent=25, random=rng()).shape == (10, 3)
    assert smote(POINTS, percent=0, random=rng()).shape == (0, 3)


def test_classes_are_filled_up_to_the_largest():
    labels = np.array([0] * 25 + [1] * 12 + [2] * 3)
    features, balanced = oversample(POINTS, labels, random=rng())
    assert np.bincount(balanced).tolist() == [25, 25, 25]
    np.testing.assert_array_equal(features[:40], POINTS)
    np.testing.assert_array_equal(balanced[:40], labels)
    low, high = POINTS[37:].min(0), POINTS[37:].max(0)
    made = features[40:][balanced[40:] == 2]
    assert ((made >= low - 1e-12) & (made <= high + 1e-12)).all()


def test_what_smote_cannot_do_is_said():
    with pytest.raises(DataError, match="multiple of 100"):
        smote(POINTS, percent=150, random=rng())
    with pytest.raises(DataError, match="neighbours"):
        smote(POINTS[:1], percent=100, random=rng())


@pytest.mark.craft("DA14")
def test_resampling_and_smote_raise_the_recall_of_a_rare_class():
    """Eights and threes, one three in thirty: what plain training misses, balanced drawing and SMOTE find."""
    digits = open_data(DataSection(validation=0), seed=0).train
    features, targets = digits.images.reshape(1797, 64) / 255.0, digits.targets
    eights, threes = np.flatnonzero(targets == 8), np.flatnonzero(targets == 3)
    train = np.concatenate([eights[:100], threes[:4]])
    test = np.concatenate([eights[100:], threes[100:]])
    truth = (targets[test] == 3).astype(int)

    def recall(x, y):
        fitted = LogisticRegression(C=0.01, max_iter=2000).fit(x, y)
        return recall_score(truth, fitted.predict(features[test]))

    labels = (targets[train] == 3).astype(np.int64)
    drawn = ArrayDataSet(digits.images[train], labels)
    loader = Loader(
        drawn,
        transform=lambda sample, rng: sample,
        collate=lambda samples: torch.tensor([s.target for s in samples]),
        batch_size=104,
        seed=0,
        order="balanced",
    )
    (batch,) = loader.epoch(0)
    table = {
        "plain": recall(features[train], labels),
        "balanced": recall(batch.images.numpy().reshape(104, 64) / 255.0, batch.target.numpy()),
        "smote": recall(*oversample(features[train], labels, random=rng())),
    }
    assert table["plain"] < 0.3
    assert table["balanced"] > table["plain"] + 0.3
    assert table["smote"] > table["plain"] + 0.3
