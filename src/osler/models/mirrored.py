"""A network that looks twice: at the picture and at its mirror image."""

from jaxtyping import Float
from torch import Tensor, nn

from osler.models.main_output import main_output


class Mirrored(nn.Module):
    """Raw outputs averaged over a picture and its mirror image (Krizhevsky et al. 2012, section 4.1), at twice the cost.

    For evaluation: in training mode only the picture itself is looked at.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs"]:
        """Raw outputs of shape (batch, outputs)."""
        outputs = self.network(images)
        if self.training:
            return outputs  # with those of auxiliary classifiers, where there are such
        both: Tensor = main_output(outputs) + main_output(self.network(images.flip(3)))
        return both / 2
