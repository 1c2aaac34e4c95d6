"""Pictures a second on one core, from a JPEG file to an augmented array: Osler against Pillow with the same steps.

    python benchmarks/data_throughput.py [FOLDER] [--sizes 64 128 224] [--pictures 200] [--rounds 9]

Steps: read the file, decode, random-resized crop (area 8 to 100 %, ratio 3/4 to 4/3), antialiased bilinear resize, flip
by chance, and in the second table the standard preset's colour changes as well. Pillow decodes with its `draft` mode,
at the smallest scale that leaves the crop no smaller than the target, and converts to RGB as torchvision's loader does.
Both draw the same windows from the same random numbers, take turns picture by picture, and run on one thread; times are
of the processor.

PSNR is against Pillow's antialiased resize of the fully decoded picture, the same crop.

Without a folder: ../shared/data/imagenet-sample where it is, else scikit-image's and scikit-learn's photographs,
written as JPEG.

Both decode with libjpeg-turbo, which spends more than half of its time on the entropy code: no way of reading a JPEG
gets around that, only around what lies below the crop. So the ratio is largest where pixels are many (224) and the file
is small; it is near 1 where files are large and targets small, and there Pillow's draft keeps less of the picture (see
the PSNR).
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import PIL
import simplejpeg
import torch
from PIL import Image, ImageEnhance, features

from osler.imaging.colour import ColorJitter
from osler.imaging.crops import RandomResizedCrop
from osler.imaging.decode import EncodedPicture
from osler.imaging.encode import write_image
from osler.imaging.flips import HorizontalFlip
from osler.imaging.opening import open_sample, undecoded

AMOUNT = 0.2  # of each colour change, as in the standard preset
SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "imagenet-sample"
Loading = Callable[[Path, np.random.Generator], np.ndarray]


def osler_way(size: int, colour: bool) -> Loading:
    transforms = [RandomResizedCrop((size, size)), HorizontalFlip()]
    if colour:
        transforms.append(ColorJitter(AMOUNT, AMOUNT, AMOUNT))

    def load(path: Path, rng: np.random.Generator) -> np.ndarray:
        picture = EncodedPicture.open(path)
        return open_sample(picture, undecoded(picture), transforms, rng).image

    return load


def pillow_way(size: int, colour: bool, draft: bool = True) -> Loading:
    crop = RandomResizedCrop((size, size))
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)

    def load(path: Path, rng: np.random.Generator) -> np.ndarray:
        with Image.open(path) as image:
            width, height = image.size
            x1, y1, x2, y2 = crop.choose(height, width, rng)
            if draft:
                image.draft("RGB", (int(width * size / (x2 - x1)), int(height * size / (y2 - y1))))
            across, down = image.size[0] / width, image.size[1] / height
            image = image.convert("RGB")
            image = image.resize(
                (size, size), Image.Resampling.BILINEAR, box=(x1 * across, y1 * down, x2 * across, y2 * down)
            )
            if rng.random() < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            for enhance in [enhancers[i] for i in rng.permutation(3)] if colour else ():
                image = enhance(image).enhance(1 - AMOUNT + 2 * AMOUNT * rng.random())
            return np.asarray(image)

    return load


def compare(ours: Loading, theirs: Loading, paths: Sequence[Path], rounds: int) -> str:
    """Both on each picture in turn, who goes first changing, so that what else the machine does falls on both alike."""
    times = []
    for turn in range(rounds + 1):
        randoms, spent = [np.random.default_rng(turn) for _ in range(2)], [0.0, 0.0]
        for i, path in enumerate(paths):
            for k in (0, 1) if (i + turn) % 2 else (1, 0):
                start = time.process_time()
                (ours, theirs)[k](path, randoms[k])
                spent[k] += (time.process_time() - start) / len(paths)
        times.append(spent)
    times = times[1:]  # the first round warms caches
    ratios = sorted(slow / fast for fast, slow in times)
    fast, slow = (1 / statistics.median(t[k] for t in times) for k in (0, 1))
    return f"{fast:8.0f} {slow:8.0f} {statistics.median(ratios):7.2f}x  ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-3, np.mean((a.astype(float) - b) ** 2))))


def fidelity(load: Loading, exact: Loading, paths: Sequence[Path]) -> str:
    values = [psnr(load(p, np.random.default_rng(i)), exact(p, np.random.default_rng(i))) for i, p in enumerate(paths)]
    below = sum(v < 35 for v in values) / len(values)
    return f"{np.mean(values):6.1f} {np.quantile(values, 0.05):6.1f} {min(values):6.1f} {below:7.1%}"


def jpegs(folder: Path | None, limit: int, beside: Path) -> list[Path]:
    folder = folder or (SHARED if SHARED.is_dir() else None)
    if folder is None:
        import skimage.data
        from sklearn.datasets import load_sample_images

        photographs = [
            *load_sample_images().images,
            skimage.data.astronaut(),
            skimage.data.coffee(),
            skimage.data.chelsea(),
        ]
        for i, image in enumerate(photographs):
            write_image(beside / f"{i}.jpg", np.ascontiguousarray(image), quality=90)
        folder = beside
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        raise SystemExit(f"There is no JPEG in {folder}.")
    print(f"{min(limit, len(found))} JPEGs of {folder}")
    return found[:limit]


def facts(paths: Sequence[Path]) -> str:
    sizes = [EncodedPicture.open(p).header.upright for p in paths]
    height, width = (round(statistics.median(s[k] for s in sizes)) for k in (0, 1))
    info = Path("/proc/cpuinfo")
    model = next(
        (line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), ""
    )
    return (
        f"median {height} x {width} pixels, {statistics.median(p.stat().st_size for p in paths) / 1024:.0f} KiB\n"
        f"{model or platform.processor()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}; "
        f"Python {platform.python_version()}, OpenCV {cv2.__version__}, torch {torch.__version__}, "
        f"simplejpeg {simplejpeg.__version__}, "
        f"Pillow {PIL.__version__} (libjpeg-turbo {features.version('libjpeg_turbo') or 'no'})\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 224])
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as beside:
        paths = jpegs(given.folder, given.pictures, Path(beside))
        print(facts(paths))
        for colour in (False, True):
            print("crop, flip, colour (the standard preset)" if colour else "crop, flip")
            print("  size    Osler   Pillow   ratio  (rounds: min to max)   [pictures/s]")
            for size in given.sizes:
                print(f"{size:6d} {compare(osler_way(size, colour), pillow_way(size, colour), paths, given.rounds)}")
        print("\nPSNR against Pillow's full decoding and antialiased resize, same crop [dB]")
        print("  size            mean     5 %    min  below 35")
        for size in given.sizes:
            exact = pillow_way(size, False, draft=False)
            print(f"{size:6d}   Osler  {fidelity(osler_way(size, False), exact, paths)}")
            print(f"         draft  {fidelity(pillow_way(size, False), exact, paths)}")


if __name__ == "__main__":
    main()
