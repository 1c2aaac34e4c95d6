"""Whether a regression's targets say where things stand in the picture."""

import numpy as np

from osler.doctor.data_seen import DataSeen, Rows


def tied_to_place(data: DataSeen, rows: Rows) -> float | None:
    """The largest correlation, over targets and both axes, of a target with where a picture's contents stand.

    Contents are what differs from the sample's median value. None without pictures or numbers beside them.
    """
    if rows.numbers is None or len(data.shape) not in (2, 3) or len(rows) < 40 or min(data.shape[-2:]) < 6:
        return None
    height, width = data.shape[-2:]
    values = rows.values.astype(np.float64)
    if not np.isfinite(values).all():
        return None
    weight = np.abs(values - np.median(values, axis=1, keepdims=True)) ** 2
    total = np.maximum(weight.sum(1), 1e-12)
    found = [0.0]
    for place in (data.places % width, (data.places // width) % height):
        centre = (weight * place).sum(1) / total
        for column in rows.numbers.T:
            if column.std() > 0 and centre.std() > 0:
                found.append(abs(float(np.corrcoef(centre, column)[0, 1])))
    return max(found)
