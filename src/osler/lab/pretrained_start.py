"""A network that starts from trained weights gets on faster at first, also on classes that it has never seen.

Later the other catches up: as He, Girshick and Dollar 2018 found for detectors ("Rethinking ImageNet pre-training").
"""

from copy import deepcopy
from dataclasses import dataclass

from torch import nn

from osler.lab.plain_training import adam, fit, loss_of, seeded
from osler.lab.small_sets import digits
from osler.lab.transfer import NEW, as_pictures, convnet, network_of_known_classes
from osler.models.head import replace_head


@dataclass(frozen=True, slots=True)
class Arrival:
    """Epochs until the loss on all training pictures is below a target; the last epoch where it never is."""

    from_trained: int
    from_nothing: int


def epochs_to(target: float = 0.5, *, samples: int = 200, most: int = 12, seed: int = 0) -> Arrival:
    """The digits 5 to 9, learnt by a network that was trained on 0 to 4 and has a new head, and by a fresh one.

    Both have the same form, optimiser, order of pictures, and start of the head.
    """
    data = digits(samples, test=100, classes=NEW, seed=seed)
    x = as_pictures(data.x)

    def epochs(model: nn.Module) -> int:
        with seeded(seed):
            replace_head(model, len(NEW))
        losses: list[float] = []
        fit(
            model, x, data.y, epochs=most, batch=25, optimizer=adam(1e-3), seed=seed,
            after_epoch=lambda: losses.append(loss_of(model, x, data.y)),
        )  # fmt: skip
        return next((epoch for epoch, loss in enumerate(losses, 1) if loss < target), most)

    return Arrival(epochs(deepcopy(network_of_known_classes(seed=seed))), epochs(convnet(len(NEW), seed=seed)))
