"""The built-in `digits`: 1,797 real handwritten digits of 8x8 pixels that scikit-learn carries (Alpaydin and Kaynak
1998, UCI).
"""

import numpy as np

from osler.data.arrays import ArrayDataSet
from osler.data.parts import Parts

LARGEST = 16  # a pixel counts the ink in a 4x4 block of the original scan: 0 to 16


def read_digits() -> Parts:
    """All digits as training pictures, ink 0 to 16 spread over 0 to 255."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / LARGEST)).astype(np.uint8)[..., None]
    return Parts(
        "digits", "class", tuple(str(i) for i in range(10)), ArrayDataSet(images, bunch.target.astype(np.int64))
    )
