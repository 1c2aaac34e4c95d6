"""What auxiliary classifiers and batch norm did for the Inception networks, on narrow ones and real digits."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, adam, seeded
from osler.lab.small_sets import digits
from osler.models.registry import create_model

LIMIT = 12  # epochs
RATES = (1e-3, 4e-3)


def early_gradients(*, seed: int = 0) -> tuple[float, float]:
    """Norm of the loss' gradient in GoogLeNet's first convolution at the start: without and with its two heads.

    The heads' losses count 0.3 (Szegedy et al. 2014, section 5).
    """
    data = digits(32, seed=seed)
    with seeded(seed):
        model = create_model("googlenet", num_classes=10, in_channels=1, stem="small", width=0.125)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    norms = []
    for weight in (0.0, 0.3):
        model.zero_grad()
        main, *sides = model.train()(_pictures(data.x))
        loss = functional.cross_entropy(main, data.y)
        (loss + sum(weight * functional.cross_entropy(side, data.y) for side in sides)).backward()
        norms.append(float(model.conv1.conv.weight.grad.norm()))  # type: ignore[union-attr, operator]
    return norms[0], norms[1]


def epochs_by_generation(*, accuracy: float = 0.9, seed: int = 0) -> tuple[int, int]:
    """Epochs until that accuracy on the digits that are learnt: Inception v1, and v2 with batch norm.

    Each at the better of two learning rates, which for v1 is the lower one and for v2 the higher.
    """
    data = digits(512, seed=seed)
    best = []
    for name in ("googlenet", "bn_inception"):
        needed = []
        for rate in RATES:
            with seeded(seed):
                model = create_model(name, num_classes=10, in_channels=1, stem="small", width=0.125)
                needed.append(_epochs(model, data.x, data.y, rate, accuracy))
        best.append(min(needed))
    return best[0], best[1]


def _epochs(model: nn.Module, x: Tensor, y: Tensor, rate: float, accuracy: float) -> int:
    optimizer = adam(rate)(model.parameters())
    for epoch in range(1, LIMIT + 1):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            raw = model.train()(_pictures(x[rows]))
            answers = raw if isinstance(raw, tuple) else (raw,)
            losses = [functional.cross_entropy(a, y[rows]) * (0.3 if i else 1) for i, a in enumerate(answers)]
            sum(losses[1:], losses[0]).backward()
            optimizer.step()
        if accuracy_of(model.eval(), _pictures(x), y) >= accuracy:
            return epoch
    return LIMIT


def _pictures(x: Tensor) -> Tensor:
    """Rows of 64 pixels as grey pictures of 8x8."""
    return x.reshape(-1, 1, 8, 8)
