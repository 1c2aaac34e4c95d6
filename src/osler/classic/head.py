"""An estimator in the place of a network's last layer: pictures in, raw outputs out, like any model."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.head import penultimate
from osler.structures.errors import CheckpointError, MissingExtraError
from osler.structures.files import write_whole

LEAST = 1e-7  # the smallest probability that is told apart from none
SURE = 16.0  # log-odds of what no training sample contradicts: -log(LEAST)


class EstimatorHead(nn.Module):
    """A network up to its last layer, then a fitted scikit-learn estimator.

    Raw outputs are logits: log-probabilities, or the margins of support vectors; for numbers, the estimator's own.
    """

    def __init__(self, network: nn.Module, estimator: Any, outputs: int) -> None:
        """`estimator` is one of `build_estimator`, fitted; `outputs` is how many classes, labels or numbers there are."""
        super().__init__()
        self.network = network
        self.estimator = estimator
        self.outputs = outputs

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs"]:
        """Raw outputs of shape (batch, outputs), on the pictures' device."""
        features = penultimate(self.network, images).detach().float().cpu().numpy()
        return torch.from_numpy(raw_outputs(self.estimator, features, self.outputs)).to(images.device)


def raw_outputs(
    estimator: Any, features: Float[np.ndarray, "samples features"], outputs: int
) -> Float[np.ndarray, "samples outputs"]:
    """What a fitted pipeline says of features, as float32 logits (or numbers).

    A class that was in no training sample is as improbable as can be said.
    """
    from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor

    last = estimator[-1]
    if isinstance(last, MultiOutputRegressor):
        return np.asarray(estimator.predict(features), dtype=np.float32).reshape(len(features), outputs)
    scaled = estimator[0].transform(features)
    if isinstance(last, MultiOutputClassifier):
        return np.stack([_two_class_logit(one, scaled) for one in last.estimators_], axis=1).astype(np.float32)
    known = _class_logits(last, scaled)
    logits = np.repeat(known.min(axis=1, keepdims=True) - SURE, outputs, axis=1)
    logits[:, last.classes_.astype(int)] = known
    return logits.astype(np.float32)


def _class_logits(classifier: Any, features: np.ndarray) -> np.ndarray:
    """Log-probabilities or margins, a column for each of the classes that the classifier has seen."""
    if hasattr(classifier, "predict_proba"):
        return np.log(np.clip(classifier.predict_proba(features), LEAST, 1))
    margins = np.asarray(classifier.decision_function(features))
    return np.stack([-margins, margins], axis=1) / 2 if margins.ndim == 1 else margins


def _two_class_logit(classifier: Any, features: np.ndarray) -> np.ndarray:
    """The log-odds (or margin) of the second of two classes."""
    if len(classifier.classes_) == 1:
        return np.full(len(features), SURE if classifier.classes_[0] else -SURE)
    if not hasattr(classifier, "predict_proba"):
        return np.asarray(classifier.decision_function(features))
    p = np.clip(classifier.predict_proba(features)[:, 1], LEAST, 1 - LEAST)
    return np.asarray(np.log(p) - np.log1p(-p))


def save_estimator(estimator: Any, path: Path) -> None:
    """A fitted estimator as a skops file, which holds no code.

    Raises:
        MissingExtraError: skops is not installed.
    """
    skops = require_skops()
    write_whole(path, lambda file: file.write(skops.dumps(estimator)))


def load_estimator(path: Path) -> Any:
    """A fitted estimator from a skops file; only scikit-learn's, NumPy's and SciPy's types are allowed in it.

    Raises:
        CheckpointError: the file is damaged or holds other types.
        MissingExtraError: skops is not installed.
    """
    skops = require_skops()
    strange = []
    try:
        found = skops.get_untrusted_types(file=path)
        strange = [name for name in found if not name.startswith(("sklearn.", "numpy.", "scipy."))]
        if not strange:
            return skops.load(path, trusted=found)
    except Exception as error:  # skops and zipfile raise many kinds for a damaged file
        raise CheckpointError(f"{path} is not an estimator that can be read: {error}.") from None
    raise CheckpointError(f"{path} holds types that are not scikit-learn's and was not read: {', '.join(strange)}.")


def require_skops() -> Any:
    """skops' reading and writing.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import skops.io
    except ImportError:
        raise MissingExtraError("Saving an estimator needs skops: pip install 'osler[classic]'.") from None
    return skops.io
