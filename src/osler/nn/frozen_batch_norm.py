"""Batch norm with fixed statistics and parameters: an affine map of each channel, which no small batch can spoil."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FrozenBatchNorm2d(nn.Module):
    """(x - running_mean) / sqrt(running_var + eps) * weight + bias, all four of them buffers, not trained.

    Detectors see one or two large pictures at a time, too few for statistics (He et al. 2017, "Mask R-CNN").
    """

    weight: Float[Tensor, " channels"]
    bias: Float[Tensor, " channels"]
    running_mean: Float[Tensor, " channels"]
    running_var: Float[Tensor, " channels"]

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> "FrozenBatchNorm2d":
        """A trained norm, frozen as it is in evaluation."""
        frozen = cls(norm.num_features, norm.eps)
        state = {k: v for k, v in norm.state_dict().items() if k != "num_batches_tracked"}
        frozen.load_state_dict(frozen.state_dict() | state)
        return frozen

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """The maps, scaled and shifted channel by channel."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.to(x.dtype)[:, None, None] + shift.to(x.dtype)[:, None, None]

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{len(self.weight)}, eps={self.eps}"


def freeze_batch_norms(module: nn.Module) -> None:
    """Puts a FrozenBatchNorm2d in the place of every BatchNorm2d below `module`."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, FrozenBatchNorm2d.of(child))
