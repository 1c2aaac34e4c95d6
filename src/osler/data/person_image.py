"""A person's picture, however it is kept, as bytes: height x width x channels."""

from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from osler.imaging.colour import to_channels
from osler.structures.errors import DataError

Image = UInt8[np.ndarray, "height width channels"]


def as_image(picture: Any, channels: int | None) -> Image:
    """A PIL picture, a NumPy array (height x width, with or without channels last) or a tensor (channels first) as
    bytes.

    Args:
        picture: bytes 0 to 255, or floats 0 to 1.
        channels: 1 or 3, to which it is brought; None leaves it as it is.

    Raises:
        DataError: it is none of these, or is standardised already.
    """
    if isinstance(picture, torch.Tensor):
        array = picture.detach().cpu().numpy()
        array = array.transpose(1, 2, 0) if array.ndim == 3 else array
    elif isinstance(picture, np.ndarray):
        array = _channels_last(picture)
    elif hasattr(picture, "convert") and hasattr(picture, "mode"):  # PIL's, without importing it
        array = np.asarray(picture.convert("L" if picture.mode in ("1", "L", "I;16", "I", "F") else "RGB"))
    else:
        raise DataError(
            f"A picture is a {type(picture).__name__}; a PIL picture, a NumPy array or a tensor is expected."
        )
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise DataError(
            f"A picture has the shape {tuple(array.shape)}; 1 or 3 channels are expected (tensors: first; "
            "arrays: last)."
        )
    return _with_channels(as_bytes(array), channels)


def as_images(pictures: Any) -> UInt8[np.ndarray, "pictures height width channels"]:
    """An array or tensor of pictures of one size as bytes, channels last.

    Raises:
        DataError: the shape or the values do not fit.
    """
    array = pictures.detach().cpu().numpy() if isinstance(pictures, torch.Tensor) else pictures
    if array.ndim == 3:
        array = array[..., None]
    elif array.ndim == 4 and (isinstance(pictures, torch.Tensor) or _first_is_channels(array.shape[1:])):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in (1, 3) or len(array) == 0:
        raise DataError(
            f"The images have the shape {tuple(pictures.shape)}; expected are pictures x height x width, with "
            "1 or 3 channels "
            "last (NumPy) or before height (tensors)."
        )
    return np.ascontiguousarray(as_bytes(array))


def as_bytes(array: np.ndarray) -> UInt8[np.ndarray, "..."]:
    """Bytes as they are, floats 0 to 1 times 255, rounded.

    Raises:
        DataError: other types; floats beyond 0 to 1.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind != "f":
        raise DataError(f"Pixels are of type {array.dtype}; bytes 0 to 255 or floats 0 to 1 are expected.")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):
        raise DataError(
            f"Pixels go from {low:.3g} to {high:.3g}; floats 0 to 1 or bytes 0 to 255 are expected. "
            "Take the standardisation out of your transforms: Osler standardises by itself, and remembers how."
        )
    return np.rint(array * 255).astype(np.uint8)


def _channels_last(array: np.ndarray) -> np.ndarray:
    return array.transpose(1, 2, 0) if array.ndim == 3 and _first_is_channels(array.shape) else array


def _first_is_channels(shape: tuple[int, ...]) -> bool:
    """Whether a picture's shape can only be channels first."""
    return shape[0] in (1, 3) and shape[-1] not in (1, 3)


def _with_channels(image: Image, channels: int | None) -> Image:
    return image if channels is None else to_channels(image, 3 if channels == 3 else 1)
