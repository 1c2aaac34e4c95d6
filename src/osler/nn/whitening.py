"""A first convolution that decorrelates the pixels of small patches, measured on training pictures and then fixed."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

CHUNK = 256  # pictures whose patches are unfolded at once: about 12 MB for CIFAR-10


def patch_second_moment(
    images: Float[Tensor, "batch channels height width"], kernel: int
) -> Float[Tensor, "values values"]:
    """Mean outer product of the patches of kernel x kernel pixels, in float64; values = channels * kernel * kernel."""
    values = images.shape[1] * kernel * kernel
    total = torch.zeros(values, values, dtype=torch.float64, device=images.device)
    count = 0
    for some in images.float().split(CHUNK):
        patches = F.unfold(some, kernel).transpose(1, 2).reshape(-1, values)
        total += (patches.T @ patches).double()
        count += len(patches)
    return total / count


def whitening_filters(moment: Float[Tensor, "values values"], floor: float) -> Float[Tensor, "values values"]:
    """Rows that turn patches into uncorrelated numbers of unit size: eigenvectors over the root of eigenvalue + floor.

    The strongest direction comes first. `floor` keeps the weakest directions, mostly noise, from being blown up.
    """
    eigenvalues, eigenvectors = torch.linalg.eigh(moment)
    return ((eigenvectors / (eigenvalues + floor).sqrt()).T).flip(0)


class WhiteningConv2d(nn.Conv2d):
    """Convolution with fixed whitening filters, each also with the opposite sign, and a trained bias.

    Page 2018 ("How to train your ResNet", part 8) and Jordan 2024 (arXiv 2404.00498, section 3.2). Until `fit` has seen
    pictures, the filters are the patch's own pixels, so that the layer passes on what it is given.
    """

    def __init__(self, in_channels: int, kernel: int = 2, floor: float = 5e-4) -> None:
        values = in_channels * kernel * kernel
        super().__init__(in_channels, 2 * values, kernel)
        self.floor = floor
        self.weight.requires_grad_(False)
        if not self.weight.is_meta:  # on the meta device PyTorch would load its compiler (1 s) to fill nothing
            self._set(torch.eye(values))
        nn.init.zeros_(self._bias)

    @property
    def _bias(self) -> Tensor:
        assert self.bias is not None
        return self.bias

    @torch.no_grad()
    def fit(self, images: Float[Tensor, "batch channels height width"]) -> None:
        """Measure the filters on standardised pictures; some thousand are plenty."""
        self._set(whitening_filters(patch_second_moment(images, self.kernel_size[0]), self.floor))

    @torch.no_grad()
    def _set(self, filters: Float[Tensor, "values values"]) -> None:
        both = torch.cat((filters, -filters))
        self.weight.copy_(both.view_as(self.weight))
