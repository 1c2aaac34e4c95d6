"""Your own network, loss and data in Osler: python examples/own_network.py

Any `nn.Module` that gives raw outputs, any function of (outputs, target), and anything that yields (picture, label) will do.
"""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

import osler


class Net(nn.Module):
    """Two convolutions and a linear layer; from the command line: osler train model=examples/own_network.py:Net."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1, width: int = 32) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(2),
        )
        self.head = nn.Linear(8 * width, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Raw outputs: no softmax, the loss has one."""
        return self.head(self.features(images).flatten(1))


def smoothed(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """A loss of one's own."""
    return F.cross_entropy(outputs, target, label_smoothing=0.05)


if __name__ == "__main__":
    digits = load_digits()
    pictures = (digits.images * 255 / 16).astype(np.uint8)[..., None]  # pictures x height x width x channels
    run = osler.train(data=(pictures, digits.target), model=Net(), loss=smoothed, epochs=8)
    print(run)
