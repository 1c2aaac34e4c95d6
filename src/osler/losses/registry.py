"""The losses by name, and what each is for. PyTorch's own are filed as they are.

The losses of one network answering one target have the signature `loss(outputs, target, *, reduction="mean")`; with
reduction "none" they give a value for each element or each row. The others (pairs, triplets, players, masks of
classes) say in their own docstrings what they take.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from osler.losses.adversarial import discriminator_loss, generator_loss, saturating_generator_loss
from osler.losses.box import ciou_loss, diou_loss, giou_loss, iou_loss
from osler.losses.contrastive import contrastive_loss
from osler.losses.dice import dice_loss
from osler.losses.distribution import kl_divergence
from osler.losses.focal import sigmoid_focal_loss, softmax_focal_loss
from osler.losses.gradient_penalty import gradient_penalty
from osler.losses.hinge import hinge_loss
from osler.losses.mask import mask_loss
from osler.losses.wasserstein import critic_generator_loss, critic_loss, earth_mover_distance
from osler.structures.registry import Registry

Problem = Literal["class", "labels", "numbers", "distribution", "boxes", "masks", "pairs", "triplets", "players"]


@dataclass(frozen=True, slots=True)
class KnownLoss:
    """A loss, the problems it is made for, and those for which it can be computed although another fits better."""

    function: Callable[..., Tensor]
    about: str
    fits: tuple[Problem, ...]
    computes: tuple[Problem, ...] = ()


losses: Registry[KnownLoss] = Registry("loss")

_TABLE: dict[str, KnownLoss] = {
    "cross_entropy": KnownLoss(
        F.cross_entropy, "softmax, then -log of the truth's probability", ("class", "distribution")
    ),
    "bce": KnownLoss(
        F.binary_cross_entropy_with_logits, "a sigmoid and -log p for each label", ("labels", "masks"), ("class",)
    ),
    "mse": KnownLoss(F.mse_loss, "squared error: the mean is learnt", ("numbers",), ("class", "labels")),
    "mae": KnownLoss(F.l1_loss, "absolute error: the median is learnt", ("numbers",)),
    "huber": KnownLoss(F.huber_loss, "squared near 0, absolute beyond 1: bears outliers", ("numbers",)),
    "smooth_l1": KnownLoss(F.smooth_l1_loss, "Fast R-CNN's: 0.5 x^2 below 1, |x| - 0.5 beyond", ("numbers", "boxes")),
    "hinge": KnownLoss(hinge_loss, "a margin of 1 on the right side", ("class", "labels")),
    "kl": KnownLoss(kl_divergence, "KL divergence from the target's distribution", ("distribution",), ("class",)),
    "focal": KnownLoss(softmax_focal_loss, "cross-entropy that looks away from easy examples", ("class",)),
    "sigmoid_focal": KnownLoss(sigmoid_focal_loss, "the same for independent labels", ("labels", "masks"), ("class",)),
    "dice": KnownLoss(dice_loss, "overlap of masks", ("masks",)),
    "mask": KnownLoss(mask_loss, "per-pixel sigmoid of the true class's mask", ("masks",)),
    "iou": KnownLoss(iou_loss, "1 - IoU of boxes", ("boxes",)),
    "giou": KnownLoss(giou_loss, "1 - GIoU: a gradient also for disjoint boxes", ("boxes",)),
    "diou": KnownLoss(diou_loss, "1 - DIoU: centres drawn together", ("boxes",)),
    "ciou": KnownLoss(ciou_loss, "1 - CIoU: and shapes matched", ("boxes",)),
    "contrastive": KnownLoss(contrastive_loss, "like pairs near, unlike pairs apart", ("pairs",)),
    "triplet": KnownLoss(F.triplet_margin_loss, "nearer to its like than to its unlike by a margin", ("triplets",)),
    "discriminator": KnownLoss(discriminator_loss, "real from fake", ("players",)),
    "generator": KnownLoss(generator_loss, "-log D(fake)", ("players",)),
    "saturating_generator": KnownLoss(
        saturating_generator_loss, "log(1 - D(fake)), as in the min-max game", ("players",)
    ),
    "critic": KnownLoss(critic_loss, "a Wasserstein GAN's critic", ("players",)),
    "critic_generator": KnownLoss(critic_generator_loss, "its generator", ("players",)),
    "gradient_penalty": KnownLoss(gradient_penalty, "a critic's slope held near 1", ("players",)),
    "earth_mover": KnownLoss(earth_mover_distance, "W1 between two samples of numbers", ("players",)),
}
for _name, _known in _TABLE.items():
    losses.register(_name)(_known)
