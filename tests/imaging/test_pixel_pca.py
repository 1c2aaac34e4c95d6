"""Principal components of pixels: enough variance, learnt from training pictures alone, undone and whitened."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from osler.imaging.pca import PixelPCA


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return (load_digits().images * 255 / 16).astype(np.uint8)[..., None]  # [1797, 8, 8, 1]


@pytest.mark.craft("DA13")
@pytest.mark.parametrize("variance", [0.5, 0.9, 0.99])
def test_kept_components_explain_the_requested_variance(digits: np.ndarray, variance: float) -> None:
    pca = PixelPCA(variance).fit(digits)
    assert pca.explained >= variance
    total = (digits.reshape(len(digits), -1) / 255).var(0, ddof=1).sum()
    codes = pca.transform(digits)
    assert codes.shape == (len(digits), pca.kept)
    assert np.isclose(codes.var(0, ddof=1).sum() / total, pca.explained, rtol=1e-4)
    assert codes[:, :-1].var(0, ddof=1).sum() / total < variance  # and no component more than needed
    assert np.allclose(np.cov(codes.T) - np.diag(codes.var(0, ddof=1)), 0, atol=1e-5)


@pytest.mark.craft("DA13")
def test_fitted_on_training_pictures_only(digits: np.ndarray) -> None:
    train, test = digits[:1000], digits[1000:]
    pca = PixelPCA(0.9).fit(train)
    codes = pca.transform(train)
    assert np.allclose(codes.mean(0), 0, atol=1e-5)
    pca.transform(255 - test)  # looking at other pictures teaches it nothing
    assert np.array_equal(pca.transform(train), codes)
    assert np.array_equal(PixelPCA(0.9).fit(train).transform(test), pca.transform(test))
    leaked = PixelPCA(0.9).fit(np.concatenate([train, 255 - test]))
    assert leaked.kept != pca.kept or not np.allclose(leaked.transform(train), codes, atol=1e-3)


@pytest.mark.parametrize("whiten", ["none", "pca", "zca"])
def test_all_components_give_the_pictures_back(digits: np.ndarray, whiten: str) -> None:
    pca = PixelPCA(1.0, whiten=whiten).fit(digits)
    assert np.array_equal(pca.inverse(pca.transform(digits)), digits)
    fewer = PixelPCA(0.95, whiten=whiten).fit(digits)
    error = ((fewer.inverse(fewer.transform(digits)).astype(float) - digits) ** 2).mean()
    assert error / digits.astype(float).var(0).mean() < 0.06


def test_whitening(digits: np.ndarray) -> None:
    codes = PixelPCA(0.9, whiten="pca").fit(digits).transform(digits)
    assert np.allclose(np.cov(codes.T), np.eye(codes.shape[1]), atol=0.01)
    pixels = PixelPCA(0.9, whiten="zca").fit(digits).transform(digits)
    assert pixels.shape == (len(digits), 64)
    values = np.linalg.eigvalsh(np.cov(pixels.T))
    assert (((values > 0.99) & (values < 1.01)) | (values < 1e-6)).all()
    grey = digits.reshape(len(digits), -1) / 255.0
    middle = 28  # whitened pixels stay where they were: each is most like its own
    assert np.argmax(
        [abs(np.corrcoef(pixels[:, middle], grey[:, j])[0, 1]) for j in range(64) if grey[:, j].std()]
    ) in range(20, 34)


def test_misuse_is_named(digits: np.ndarray) -> None:
    with pytest.raises(ValueError, match="fit"):
        PixelPCA().transform(digits)
    with pytest.raises(ValueError, match="8, 8, 1"):
        PixelPCA().fit(digits).transform(digits[:, :4])
    with pytest.raises(ValueError, match="two pictures"):
        PixelPCA().fit(digits[:1])
    with pytest.raises(ValueError, match=r"1\.5"):
        PixelPCA(1.5)
    with pytest.raises(ValueError, match="zca"):
        PixelPCA(whiten="both")
