"""Losses of a detector's regions: what holds of one label a picture does not hold of them."""

from osler.doctor.case import Case
from osler.vitals.evidence import LossSeen


def judges_regions(case: Case, loss: LossSeen) -> bool:
    """Whether a detector's regions are judged, more of them than the loader gives pictures.

    Most are background, on purpose: they are drawn at a ratio such as three to one (Girshick 2015, section 2.3), and classes
    cannot be drawn evenly, since a picture brings its objects along.
    """
    if getattr(case.evidence, "objects", None) is None:  # evidence kept before there were objects has none
        return False
    rows = [s.target.shape[0] for s in loss.samples if s.target is not None and s.target.shape and s.moment == "train"]
    pictures = [x.batch_size for x in case.evidence.loaders if x.used_for["train"] and x.batch_size]
    return not pictures or max(rows, default=0) > max(pictures)
