"""The data of the quick experiments: scikit-learn's 1,797 real handwritten digits in two halves."""

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class DigitsHalves:
    """898 digits to fit and 899 to judge by; pixels are standardised over the first half."""

    inputs: Float[Tensor, "train 64"]
    labels: Int[Tensor, " train"]
    test_inputs: Float[Tensor, "test 64"]
    test_labels: Int[Tensor, " test"]


@cache
def digits_halves(seed: int = 0) -> DigitsHalves:
    """The two halves, classes in equal shares, by seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    parts = train_test_split(pixels / 16, labels, train_size=898, stratify=labels, random_state=seed)
    train, test, train_labels, test_labels = (torch.as_tensor(p) for p in parts)
    mean, spread = train.mean(), train.std()
    return DigitsHalves(
        ((train - mean) / spread).float(), train_labels.long(), ((test - mean) / spread).float(), test_labels.long()
    )
