"""Networks whose weights start from training pictures."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class NeedsData(Protocol):
    """A network that measures something on training pictures before its first update, such as whitening filters.

    The training verb calls it once for a new network, never for one whose weights were read from a file. A network that
    wants more pictures than some thousand has an attribute `initialisation_pictures`, the most that it will take.
    """

    def initialise_from_data(self, images: Float[Tensor, "batch channels height width"]) -> None:
        """Set weights from standardised training pictures, on the network's device."""
        ...
