"""The updates of a range test are the loop's own: what the recipe says of them holds at every rate."""

from typing import Any

import pytest
import torch

from osler.training.rate_trial import RateTrial
from osler.training.state import Training
from osler.verbs.finding_lr import find_lr
from osler.verbs.preparing import Wishes
from tiny_runs import TINY, PlainNet, tiny_preparation, weights_of


def prepared(**values: Any) -> Training:
    torch.manual_seed(0)
    base = {"optimizer": "sgd", "batch_size": 16, "lr": 0.5, "weight_decay": 0.0, "schedule": "cosine", "warmup": 0.5}
    return tiny_preparation(model=PlainNet(), **base | values).training


def step_at(rate: float, **values: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss before the first update at a rate, and by how much it moves each tensor."""
    training = prepared(**values)
    before = weights_of(training.model)
    loss = RateTrial(training)(rate)
    return loss, {k: v - before[k] for k, v in weights_of(training.model).items()}


def length(steps: dict[str, torch.Tensor]) -> float:
    return float(torch.cat([s.flatten() for s in steps.values()]).norm())


@pytest.mark.parametrize("values", [{}, {"warmup": 0.0, "schedule": "onecycle"}, {"lr": 0.01}])
def test_the_rate_is_what_was_asked_for_whatever_the_schedule(values: dict[str, Any]) -> None:
    loss, plain = step_at(0.1, warmup=0.0, schedule="constant", lr=0.1)
    other_loss, other = step_at(0.1, **values)
    assert other_loss == loss
    for name, step in plain.items():
        torch.testing.assert_close(other[name], step)


def test_rates_of_single_parameters_keep_their_proportion() -> None:
    _, plain = step_at(0.1)
    _, scaled = step_at(0.1, **{"finetune.lr_scales": {"head.*": 0.25}})
    torch.testing.assert_close(scaled["head.weight"], 0.25 * plain["head.weight"])
    torch.testing.assert_close(scaled["hidden.weight"], plain["hidden.weight"])


def test_gradients_are_clipped_and_batches_accumulated_and_mixed() -> None:
    assert length(step_at(0.1, clip_norm=0.01)[1]) == pytest.approx(0.1 * 0.01, rel=1e-3)
    whole, parts = step_at(0.1, batch_size=32), step_at(0.1, batch_size=16, accumulate=2)
    assert parts[0] == pytest.approx(whole[0])
    for name, step in whole[1].items():
        torch.testing.assert_close(parts[1][name], step)
    assert step_at(0.1, mixup=0.5)[0] != step_at(0.1)[0]


def test_the_rate_is_the_recipes_before_its_scaling() -> None:
    """A batch of 16 under a reference of 64: linear scaling makes a quarter of it."""
    _, plain = step_at(0.1)
    _, scaled = step_at(0.1, lr_scaling="linear", lr_batch_size=64)
    torch.testing.assert_close(scaled["head.weight"], 0.25 * plain["head.weight"])


def test_the_suggestion_is_what_to_write_into_the_recipe() -> None:
    def found(**values: Any) -> Any:
        torch.manual_seed(0)
        base = {k: v for k, v in TINY.items() if not k.startswith("model.")} | {
            "optimizer": "momentum",
            "batch_size": 16,
        }
        return find_lr(Wishes(values=base | values, model=PlainNet()), low=1e-4, high=1.0, steps=13)

    plain = found()
    assert "lr_scaling" not in plain.reason
    scaled = found(lr_scaling="linear", lr_batch_size=160)
    assert scaled.losses[6] == pytest.approx(plain.losses[6], abs=0.2)
    assert f"train.lr_scaling=linear makes {scaled.suggestion / 10:.2g} of it for 16 pictures" in scaled.reason
    # a rate of the recipe is ten times that of an update: the same updates, at tenfold rates, suggest the tenfold
    torch.manual_seed(0)
    base = {k: v for k, v in TINY.items() if not k.startswith("model.")} | {"optimizer": "momentum", "batch_size": 16}
    wishes = Wishes(values=base | {"lr_scaling": "linear", "lr_batch_size": 160}, model=PlainNet())
    assert find_lr(wishes, low=1e-3, high=10.0, steps=13).suggestion == pytest.approx(10 * plain.suggestion)


def test_epochs_follow_one_another_and_a_loss_that_is_no_number_is_infinite() -> None:
    training = prepared(batch_size=32)
    trial = RateTrial(training)
    losses = [trial(1e-3) for _ in range(7)]  # of three an epoch
    assert (training.position.epoch, training.position.batch) == (2, 1)
    assert len(set(losses)) == 7
    for rate in (1e30, 1e30, 1e30):
        last = trial(rate)
    assert last == float("inf")
