"""Every kind of picture comes out as upright 8-bit RGB or grey; damage is named, and standard error stays empty."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from osler.imaging.decode import EncodedPicture, UnreadableError, aligned, read_image, reduction, upright
from osler.imaging.resize import resize


def photograph() -> np.ndarray:
    from sklearn.datasets import load_sample_image

    return load_sample_image("flower.jpg")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-6, np.mean((a.astype(float) - b) ** 2))))


def saved(path: Path, image: np.ndarray | Image.Image, **options) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm"])
def test_lossless_formats_come_back_in_rgb(tmp_path: Path, suffix: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 51, 3), np.uint8)
    assert np.array_equal(read_image(saved(tmp_path / f"a.{suffix}", image)), image)


def test_jpeg_equals_pillows(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", photograph(), quality=85)
    assert np.abs(read_image(path).astype(int) - np.asarray(Image.open(path))).max() <= 1


def test_a_path_beyond_ascii(tmp_path: Path) -> None:
    folder = tmp_path / "Größe 画像 🩻"
    folder.mkdir()
    assert read_image(saved(folder / "ä.png", np.full((5, 6, 3), 77, np.uint8)))[0, 0].tolist() == [77, 77, 77]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    image = np.zeros((24, 40, 3), np.uint8)
    image[:12, :20] = 255  # one bright corner tells all eight apart, with the shape
    image[:12, 20:] = 90
    exif = Image.Exif()
    exif[0x112] = orientation
    path = saved(tmp_path / f"a.{suffix}", image, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    assert psnr(read_image(path), expected) > 35


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_exifs_definition(orientation: int) -> None:
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    rows_first = {1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]}
    columns_first = {5: stored.T, 6: stored[::-1].T, 7: stored[::-1, ::-1].T, 8: stored[:, ::-1].T}
    assert np.array_equal(upright(stored, orientation), (rows_first | columns_first)[orientation])


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0] = 200  # red, hidden to full, half, not at all
    rgba[0, :, 3] = 0, 128, 255
    image = read_image(saved(tmp_path / "a.png", rgba))
    assert image[0].tolist() == [[255, 255, 255], [227, 127, 127], [200, 0, 0]]
    assert read_image(tmp_path / "a.png", channels=1)[0, :, 0].tolist() == [255, 157, 60]


def test_transparent_palette_lies_on_white(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.putpixel((0, 0), 0)
    image = read_image(saved(tmp_path / "a.png", picture, transparency=0))
    assert image[0, 0].tolist() == [255, 255, 255]
    assert image[1, 1].tolist() == [10, 20, 30]


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    values = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    image = read_image(saved(tmp_path / "a.png", Image.fromarray(values)))
    assert image[0, :, 0].tolist() == [0, 1, 128, 255]
    assert image.shape == (1, 4, 3)


def test_sixteen_bit_tiff_is_turned_upright(tmp_path: Path) -> None:
    values = (np.arange(12, dtype=np.uint16) * 5000).reshape(3, 4)
    path = saved(tmp_path / "a.tiff", Image.fromarray(values), tiffinfo={0x112: 6})
    expected = np.rint(values / 257).astype(np.uint8)[::-1].T
    assert np.array_equal(read_image(path, channels=1)[:, :, 0], expected)


def test_grey_palette_and_bits(tmp_path: Path) -> None:
    photo = Image.fromarray(photograph()).resize((60, 40))
    for mode in ("L", "P", "1", "LA"):
        converted = photo.convert(mode)
        image = read_image(saved(tmp_path / f"{mode}.png", converted))
        assert np.array_equal(image, np.asarray(converted.convert("RGB")))
    grey = read_image(tmp_path / "L.png", channels=1)
    assert grey.shape == (40, 60, 1)
    assert np.array_equal(grey[:, :, 0], np.asarray(photo.convert("L")))


def test_colour_read_as_grey(tmp_path: Path) -> None:
    photo = photograph()
    for name in ("a.png", "a.jpg"):
        grey = read_image(saved(tmp_path / name, photo), channels=1)
        assert grey.shape == (*photo.shape[:2], 1)
        assert psnr(grey[:, :, 0], np.asarray(Image.fromarray(photo).convert("L"))) > 38


def test_cmyk_jpeg(tmp_path: Path) -> None:
    photo = Image.fromarray(photograph())
    path = saved(tmp_path / "a.jpg", photo.convert("CMYK"), quality=95)
    assert psnr(read_image(path), np.asarray(photo)) > 30


def test_cmyk_tiff_and_float_tiff_are_refused(tmp_path: Path) -> None:
    inks = saved(tmp_path / "inks.tiff", Image.new("CMYK", (8, 8)))
    numbers = saved(tmp_path / "numbers.tiff", Image.fromarray(np.ones((8, 8), np.float32)))
    with pytest.raises(UnreadableError, match="CMYK"):
        read_image(inks)
    with pytest.raises(UnreadableError, match="float32"):
        read_image(numbers)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_a_file_cut_short_is_refused_in_silence(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photograph()[:200, :300]).save(buffer, kind)
    data = buffer.getvalue()
    for share in (0.3, 0.6, 0.9, 0.999):
        path = tmp_path / "cut"
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UnreadableError, match=r"cut short|damaged"):
            read_image(path)
    assert capfd.readouterr() == ("", "")


def test_progressive_jpeg_whole_and_cut(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a.jpg", photograph(), progressive=True)
    picture = EncodedPicture.open(path)
    assert not picture.header.sequential
    assert np.array_equal(picture.read((8, 16, 100, 120)), picture.read()[16:120, 8:100])
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UnreadableError, match="cut short"):
        read_image(path)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_png_is_found_by_its_check_sums(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a.png", photograph())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match="check sum"):
        read_image(path)
    assert capfd.readouterr() == ("", "")


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", photograph())
    whole = read_image(path)
    path.write_bytes(path.read_bytes() + b"appended by a camera")
    assert np.array_equal(read_image(path), whole)


@pytest.mark.parametrize(
    ("size", "at_least", "margin", "step"),
    [
        ((480, 640), (240, 320), 1.0, 2),
        ((480, 640), (241, 320), 1.0, 1),
        ((480, 640), (160, 200), 1.5, 2),
        ((479, 640), (160, 200), 1.5, 1),
        ((4000, 3000), (100, 100), 1.5, 8),
    ],
)
def test_reduction_keeps_its_margin(size: tuple[int, int], at_least: tuple[int, int], margin: float, step: int) -> None:
    assert reduction(size, at_least, margin) == step


def test_a_picture_with_more_detail_is_reduced_less(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    detailed = EncodedPicture.open(saved(tmp_path / "noise.jpg", noise, quality=95))
    smooth = EncodedPicture.open(saved(tmp_path / "grey.jpg", np.full_like(noise, 99)))
    lossless = EncodedPicture.open(saved(tmp_path / "grey.png", np.full_like(noise, 99)))
    assert [p.step((400, 400), (200, 200)) for p in (detailed, smooth, lossless)] == [1, 2, 1]
    assert [p.step((400, 400), (133, 133)) for p in (detailed, smooth, lossless)] == [2, 2, 1]


@pytest.mark.parametrize("target", [30, 64, 100, 128, 160])
def test_real_photographs_stay_within_35_db(shared: Path, target: int) -> None:
    reduced = 0
    for path in sorted((shared / "data" / "imagenet-sample").glob("*.jpg"))[::9]:
        picture = EncodedPicture.open(path)
        step = picture.step((picture.height, picture.width), (target, target))
        x2, y2 = picture.width // step * step, picture.height // step * step
        small = resize(picture.read((0, 0, x2, y2), step), (target, target))
        assert psnr(small, resize(picture.read((0, 0, x2, y2)), (target, target))) > 35
        reduced += step > 1
    assert reduced or target >= 128


def test_aligned_windows_stay_whole() -> None:
    assert aligned((5, 9, 64, 71), 1) == (5, 9, 64, 71)
    assert aligned((5, 9, 64, 71), 4) == (4, 8, 64, 68)
    assert aligned((5, 9, 6, 10), 8) == (0, 8, 8, 16)


@pytest.mark.parametrize("target", [24, 50, 100])
def test_a_reduced_jpeg_resizes_to_nearly_the_same(tmp_path: Path, target: int) -> None:
    path = saved(tmp_path / "a.jpg", photograph(), quality=90)
    small = read_image(path, at_least=(target, target))
    full = read_image(path)
    assert small.shape[0] < full.shape[0]
    assert min(small.shape[:2]) >= target
    resized = [Image.fromarray(i).resize((target, target), Image.Resampling.BILINEAR) for i in (small, full)]
    assert psnr(np.asarray(resized[0]), np.asarray(resized[1])) > 35


@pytest.mark.parametrize("sampling", [0, 2])  # 4:4:4 and 4:2:0
@pytest.mark.parametrize("channels", [1, 3])
def test_a_window_has_the_pixels_of_the_whole(
    tmp_path: Path, sampling: int, channels: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "a.jpg", photograph()[:217], subsampling=sampling)
    picture = EncodedPicture.open(path, channels=channels)
    whole = {step: picture.read(step=step) for step in (1, 2, 4, 8)}
    for bottom in (8, 16, 96, 136, 184, 200, 208, 216):
        for step in (1, 2, 4, 8):
            window = picture.read((16, 0, 320, bottom), step)
            # A halved picture's colours may reach a row further than whole pixels do; within a level or two.
            difference = np.abs(window.astype(int) - whole[step][: bottom // step, 16 // step : 320 // step])
            assert difference.max() <= (0 if step == 1 else 2)
    assert capfd.readouterr() == ("", "")


def test_a_window_of_a_turned_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    for name in ("a.jpg", "a.png"):
        picture = EncodedPicture.open(saved(tmp_path / name, photograph(), exif=exif))
        assert (picture.height, picture.width) == (640, 427)
        assert np.array_equal(picture.read((8, 16, 100, 120)), picture.read()[16:120, 8:100])


def test_only_the_needed_rows_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import simplejpeg

    decoded = []
    original = simplejpeg.decode_jpeg
    monkeypatch.setattr("simplejpeg.decode_jpeg", lambda *a, **k: decoded.append(original(*a, **k)) or decoded[-1])
    EncodedPicture.open(saved(tmp_path / "a.jpg", photograph())).read((0, 0, 50, 50))
    assert [d.shape[0] for d in decoded] == [52]


@pytest.mark.parametrize("sampling", [0, 2])  # 4:4:4 and 4:2:0
@pytest.mark.parametrize("channels", [1, 3])
def test_opencv_steps_in_with_the_same_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: int, channels: int
) -> None:
    picture = EncodedPicture.open(saved(tmp_path / "a.jpg", photograph(), subsampling=sampling), channels=channels)
    turbo = [picture.read((16, 16, 320, 208), step) for step in (1, 2, 4, 8)]

    def refuse(*arguments: object, **options: object) -> None:
        raise ValueError("no such sampling")

    monkeypatch.setattr("simplejpeg.decode_jpeg", refuse)
    for step, pixels in zip((1, 2, 4, 8), turbo, strict=True):
        difference = np.abs(picture.read((16, 16, 320, 208), step).astype(int) - pixels)
        assert difference.max() <= (0 if step == 1 else 2)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (3, 17), (15, 33)])
def test_the_smallest_jpegs_at_every_scale(tmp_path: Path, size: tuple[int, int]) -> None:
    path = saved(tmp_path / "a.jpg", photograph()[: size[0], : size[1]])
    picture = EncodedPicture.open(path)
    assert np.abs(picture.read().astype(int) - np.asarray(Image.open(path))).max() <= 1
    for step in (2, 4, 8):
        assert picture.read(step=step).shape == (-(-size[0] // step), -(-size[1] // step), 3)
