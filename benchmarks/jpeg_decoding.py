"""Processor time of decoding whole JPEGs to RGB: OpenCV, simplejpeg, simplejpeg's approximations, Pillow.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/jpeg_decoding.py FOLDER... [--pictures 80] [--rounds 5]

The decoders take turns on each picture, and another one begins each time. PSNR is against OpenCV's pixels. `fast dct`
is libjpeg's rougher inverse transform, `fast upsample` repeats the colours of a 4:2:0 picture instead of interpolating.
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import Image


def opencv(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def turbo(**options: bool) -> Callable[[bytes], np.ndarray]:
    return lambda data: simplejpeg.decode_jpeg(data, "RGB", strict=False, **options)


def pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


DECODERS = {
    "OpenCV": opencv,
    "simplejpeg": turbo(),
    "fast dct": turbo(fastdct=True),
    "fast upsample": turbo(fastupsample=True),
    "both": turbo(fastdct=True, fastupsample=True),
    "Pillow": pillow,
}


def times(files: list[bytes], rounds: int) -> dict[str, float]:
    """Microseconds a picture, the median of the rounds after the first, which warms caches."""
    spent = []
    for turn in range(rounds + 1):
        total = dict.fromkeys(DECODERS, 0.0)
        for i, data in enumerate(files):
            for name in np.roll(list(DECODERS), i + turn):
                start = time.process_time()
                DECODERS[name](data)
                total[name] += 1e6 * (time.process_time() - start) / len(files)
        spent.append(total)
    return {name: statistics.median(t[name] for t in spent[1:]) for name in DECODERS}


def psnr(image: np.ndarray, exact: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-6, np.mean((image.astype(float) - exact) ** 2))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--pictures", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    for folder in given.folders:
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
        files = [path.read_bytes() for path in found[: given.pictures]]
        if not files:
            raise SystemExit(f"There is no JPEG in {folder}.")
        print(f"{len(files)} JPEGs of {folder}\n  decoder         us/picture   PSNR mean    min [dB]")
        for name, spent in times(files, given.rounds).items():
            values = [psnr(DECODERS[name](data), opencv(data)) for data in files]
            same = "  the same pixels" if min(values) > 100 else f"{np.mean(values):12.1f} {min(values):6.1f}"
            print(f"  {name:14s} {spent:11.0f} {same}")


if __name__ == "__main__":
    main()
