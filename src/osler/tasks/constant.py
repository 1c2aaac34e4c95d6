"""A constant tensor that a loss needs on the device of the outputs: copied there once, not at every step."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Constant:
    """Numbers that do not change, at hand on any device."""

    def __init__(self, values: Sequence[float]) -> None:
        self._copies = {torch.device("cpu"): torch.tensor(values, dtype=torch.float32)}

    def on(self, device: torch.device) -> Tensor:
        """The numbers as float32 on `device`."""
        if device not in self._copies:
            # Made while evaluating, an inference tensor could not be used in training afterwards.
            with torch.inference_mode(False):
                self._copies[device] = self._copies[torch.device("cpu")].to(device)
        return self._copies[device]
