import pytest
import torch
from torch import nn
from torch.nn import functional

from osler.nn.side_heads import SideHeads, side_losses


def network():
    torch.manual_seed(0)
    stages = nn.Sequential(*(nn.Sequential(nn.Linear(8, 8), nn.ReLU()) for _ in range(3)), nn.Linear(8, 4))
    return SideHeads(stages, {0: nn.Linear(8, 4), 1: nn.Linear(8, 4)})


@pytest.mark.craft("RE27")
def test_two_extra_loss_terms_in_training_and_none_in_evaluation():
    model, x, y = network(), torch.randn(5, 8), torch.tensor([0, 1, 2, 3, 0])
    outputs = model.train()(x)
    losses = side_losses(outputs, y, functional.cross_entropy, weight=0.3)
    assert list(losses) == ["main", "side0", "side1"]
    for name, side in zip(("side0", "side1"), outputs.sides, strict=True):
        assert losses[name].item() == pytest.approx(0.3 * functional.cross_entropy(side, y).item())
    quiet = model.eval()(x)
    assert quiet.sides == ()
    assert torch.equal(quiet.main, outputs.main)
    assert list(side_losses(quiet, y, functional.cross_entropy)) == ["main"]


@pytest.mark.craft("RE27")
def test_heads_are_not_computed_in_evaluation():
    model, called = network(), []
    for name, head in model.heads.items():
        head.register_forward_hook(lambda *_, name=name: called.append(name))
    model.eval()(torch.randn(2, 8))
    assert called == []
    model.train()(torch.randn(2, 8))
    assert sorted(called) == sorted(model.heads)


def test_a_head_beyond_the_stages_is_refused():
    with pytest.raises(ValueError, match=r"stages 0 to 0, given \[1\]"):
        SideHeads(nn.Sequential(nn.Identity()), {1: nn.Identity()})
