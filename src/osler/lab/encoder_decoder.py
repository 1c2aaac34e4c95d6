"""An encoder and a decoder in small: down to few positions of many channels, and back up to the picture's own size.

The form of Ronneberger, Fischer, Brox 2015 ("U-Net", figure 1), with padded convolutions: at each level two 3x3
convolutions, maximum pooling on the way down, a 2x2 transposed convolution on the way up, and the way down's maps of the
same size beside those of the way up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from osler.lab.layer_claims import scattered
from osler.lab.plain_training import Loss, adam, fit, seeded
from osler.lab.small_sets import digits
from osler.nn.convolution import conv_norm_act

Pictures = Float[Tensor, "batch channels height width"]


class EncoderDecoder(nn.Module):
    """Pictures in, maps of the same height and width out.

    Args:
        widths: channels at each level, finest first; the last is the bottleneck's.
        in_channels: of the pictures.
        out_channels: of the answer.
        skips: whether the way up sees the maps of the way down.
    """

    def __init__(
        self, widths: Sequence[int] = (8, 16, 32), in_channels: int = 1, out_channels: int = 1, *, skips: bool = True
    ) -> None:
        super().__init__()
        self.skips = skips
        ins = [in_channels, *widths[:-1]]
        self.down = nn.ModuleList(_level(a, b) for a, b in zip(ins[:-1], widths[:-1], strict=True))
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = _level(ins[-1], widths[-1])
        finer = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in finer)
        self.up = nn.ModuleList(_level(2 * b if skips else b, b) for _, b in finer)
        self.out = nn.Conv2d(widths[0], out_channels, 1)

    def forward(self, images: Pictures) -> Float[Tensor, "batch out_channels height width"]:
        """Raw outputs; height and width are at least two for each level above the bottleneck."""
        kept, x = [], images
        for level in self.down:
            kept.append(level(x))
            x = self.pool(kept[-1])
        x = self.bottleneck(x)
        for rise, level in zip(self.rise, self.up, strict=True):
            beside = kept.pop()
            x = rise(x, output_size=beside.shape[2:])  # an odd side that pooling rounded down comes back
            x = level(torch.cat((x, beside), 1) if self.skips else x)
        return self.out(x)


def _level(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(conv_norm_act(in_channels, out_channels), conv_norm_act(out_channels, out_channels))


@dataclass(frozen=True, slots=True)
class Passage:
    """The shapes that a picture takes on its way: channels, height, width."""

    picture: tuple[int, ...]
    bottleneck: tuple[int, ...]
    answer: tuple[int, ...]

    def __str__(self) -> str:
        return " -> ".join("x".join(map(str, shape)) for shape in (self.picture, self.bottleneck, self.answer))


@torch.no_grad()
def passage(model: EncoderDecoder, images: Pictures) -> Passage:
    """What hooks see of one batch."""
    seen: list[tuple[int, ...]] = []
    handle = model.bottleneck.register_forward_hook(lambda _m, _i, output: seen.append(tuple(output.shape[1:])))
    try:
        answer = model(images)
    finally:
        handle.remove()
    return Passage(tuple(images.shape[1:]), seen[0], tuple(answer.shape[1:]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trained encoder-decoder on held-out pictures."""

    passage: Passage
    score: float
    without: float  # the same score of the input itself, as if no network were there


def reconstruct(
    *, skips: bool = True, noise: float = 0.5, samples: int = 400, epochs: int = 15, seed: int = 0
) -> Outcome:
    """Clean digits from noisy ones; the score is the mean squared error."""
    noisy, clean, noisy_test, clean_test = _noisy_digits(noise, samples, seed)
    model = _trained(noisy, clean, mse_loss, skips, epochs, seed)
    with torch.no_grad():
        score, without = mse_loss(model(noisy_test), clean_test), mse_loss(noisy_test, clean_test)
    return Outcome(passage(model, noisy_test[:1]), float(score), float(without))


def segment(*, skips: bool = True, noise: float = 0.5, samples: int = 400, epochs: int = 15, seed: int = 0) -> Outcome:
    """Where the ink is, from noisy digits; the score is the intersection over union of the ink."""
    noisy, clean, noisy_test, clean_test = _noisy_digits(noise, samples, seed)
    model = _trained(noisy, (clean > 0).float(), binary_cross_entropy_with_logits, skips, epochs, seed)
    with torch.no_grad():
        score, without = (_overlap(found > 0, clean_test > 0) for found in (model(noisy_test), noisy_test))
    return Outcome(passage(model, noisy_test[:1]), score, without)


def _noisy_digits(noise: float, samples: int, seed: int) -> tuple[Pictures, Pictures, Pictures, Pictures]:
    """Digits somewhere in pictures of 16x16, with and without noise, to train and to judge by."""
    data = digits(samples, test=200, seed=seed)
    clean, clean_test = scattered(data.x, side=16, seed=seed), scattered(data.x_test, side=16, seed=seed + 100)
    with seeded(seed):
        noisy, noisy_test = (x + noise * torch.randn_like(x) for x in (clean, clean_test))
    return noisy, clean, noisy_test, clean_test


def _trained(x: Pictures, y: Pictures, loss: Loss, skips: bool, epochs: int, seed: int) -> EncoderDecoder:
    with seeded(seed):
        model = EncoderDecoder(skips=skips)
    return fit(model, x, y, epochs=epochs, batch=32, optimizer=adam(3e-3), loss=loss, seed=seed)


def _overlap(found: Tensor, truth: Tensor) -> float:
    return float((found & truth).sum() / (found | truth).sum())
