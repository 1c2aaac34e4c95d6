"""From pixels to a file: pictures for reports, and data sets in other formats."""

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8


def encode_image(
    image: UInt8[np.ndarray, "height width channels"] | UInt8[np.ndarray, "height width"],
    *,
    format: str = "png",
    quality: int = 95,
) -> bytes:
    """RGB, RGBA or grey pixels as the bytes of a picture file.

    Args:
        image: 1, 3 or 4 channels; grey also as height x width.
        format: png (loses nothing), jpg, webp, bmp or tiff; a leading dot is allowed.
        quality: of jpg and webp, 1 to 100.

    Raises:
        ValueError: the array is no picture, or the format cannot be written.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise ValueError(
            f"A picture is uint8, height x width x 1, 3 or 4 channels; this array is {image.dtype} {image.shape}."
        )
    kind = format.lower().lstrip(".").replace("jpeg", "jpg")
    options = {"jpg": [cv2.IMWRITE_JPEG_QUALITY, quality], "webp": [cv2.IMWRITE_WEBP_QUALITY, quality]}
    if kind not in ("png", "jpg", "webp", "bmp", "tif", "tiff"):
        raise ValueError(f"Pictures are not written as {format!r}; png, jpg, webp, bmp and tiff are.")
    if image.ndim == 3 and image.shape[2] > 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    done, data = cv2.imencode("." + kind, image, options.get(kind, []))
    if not done:
        raise ValueError(f"A picture of {image.shape} could not be written as {format!r}.")
    return data.tobytes()


def write_image(
    path: str | Path,
    image: UInt8[np.ndarray, "height width channels"] | UInt8[np.ndarray, "height width"],
    *,
    quality: int = 95,
) -> None:
    """Write a picture file, whose ending says the format: whole or not at all (written beside, then renamed).

    Raises:
        ValueError: the array is no picture, or the ending names no format that can be written.
        OSError: the folder is missing, or full.
    """
    path = Path(path)
    data = encode_image(image, format=path.suffix, quality=quality)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
