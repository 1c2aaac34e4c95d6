"""The same seed gives the same weights, bit for bit; the first losses of a short run are kept as gold."""

import json
from pathlib import Path

import pytest
import torch

import osler
from osler.reports.environment import processor

GOLD = Path(__file__).parents[1] / "golden" / "digits_convnet.json"
WORDS = [
    "data.limit=320",
    "train.batch_size=32",
    "model.name=convnet",
    "model.options.dropout=0.2",
    "data.augment.mixup=0.3",
]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights_of(folder, *words):
    osler.train(out=folder, overrides=[*WORDS, *words], quiet=True)
    return torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["state"]["model"]


def same(one, other):
    return all(torch.equal(one[k], other[k]) for k in one)


def test_the_same_seed_gives_the_same_weights_whatever_the_workers(tmp_path):
    first = weights_of(tmp_path / "a", "train.epochs=2", "train.workers=0")
    again = weights_of(tmp_path / "b", "train.epochs=2", "train.workers=0")
    workers = weights_of(tmp_path / "c", "train.epochs=2", "train.workers=2")
    other = weights_of(tmp_path / "d", "train.epochs=2", "train.workers=0", "seed=1")
    assert same(first, again)
    assert same(first, workers)
    assert not same(first, other)


def test_golden_losses(tmp_path):
    """Rewrite with: python tests/training/test_repeatable.py"""
    gold = json.loads(GOLD.read_text())
    losses = golden_losses(tmp_path / "run")
    if gold["processor"] == processor() and gold["torch"] == torch.__version__:
        assert losses == gold["losses"]
    assert losses == pytest.approx(gold["losses"], rel=1e-5)


def golden_losses(folder):
    """The losses of the first twenty updates in float32, plain data, so that nothing but the loop moves them."""
    words = ["data.limit=320", "train.batch_size=32", "model.name=convnet", "train.precision=float32", "train.epochs=2"]
    run = osler.train(out=folder, overrides=[*words, "train.optimizer=momentum", "train.lr=0.02"], quiet=True)
    store = run.folder.store()
    losses = store.updates("train.loss")[1]
    store.close()
    assert len(losses) == 20
    return losses


if __name__ == "__main__":
    import tempfile

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        content = {"processor": processor(), "torch": torch.__version__, "losses": golden_losses(Path(place) / "run")}
    GOLD.write_text(json.dumps(content, indent=2) + "\n")
