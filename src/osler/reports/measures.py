"""How a metric is called and its value written for a person: shares as per cent, all else with four figures."""

import math
import re

SHARES = re.compile(
    r"accuracy|precision|recall|f1|top_?\d|^map$|calibration_error|exact_match|hamming|iou|error_rate"
    r"|^(mask_)?a[pr]\d*(_|$)|^voc"
)
SPELLED = {
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "mse": "mean square error",
    "r2": "R²",
    "auc": "area under ROC",
    "map": "mean average precision",
    "mcc": "Matthews correlation",
    "kappa": "Cohen's kappa",
    "brier": "Brier score",
    "lr": "learning rate",
    "ap": "AP",
    "voc_ap50": "VOC's AP at IoU 0.5",
    "voc07_ap50": "VOC 2007's AP at IoU 0.5",
}
DETECTED = re.compile(r"(mask_)?a(p|r)(\d+|_small|_medium|_large)")  # COCO's numbers, e.g. mask_ap50, ar_small


def is_share(metric: str) -> bool:
    """Whether a metric runs from 0 to 1 and is read as per cent."""
    return SHARES.search(metric.lower()) is not None


def spell(metric: str) -> str:
    """A metric's name in words.

    >>> spell("top5"), spell("f1_micro"), spell("mae")
    ('top-5', 'F1 micro', 'mean absolute error')
    >>> spell("ap75"), spell("mask_ap_small"), spell("ar10")
    ('AP at IoU 0.75', 'mask AP of small objects', 'AR with 10 detections')
    """
    if metric in SPELLED:
        return SPELLED[metric]
    if metric.startswith("mask_"):
        return f"mask {spell(metric.removeprefix('mask_'))}"
    if detected := DETECTED.fullmatch(metric):
        return _detected(detected[2], detected[3])
    words = re.sub(r"\btop_?(\d+)", r"top-\1", metric).replace("_", " ")
    return re.sub(r"\b(f1|auc|roc)\b", lambda m: m[0].upper(), words)


def _detected(letter: str, of: str) -> str:
    """One of COCO's numbers in words: average precision at an overlap, recall with so many detections, of a size."""
    name = f"A{letter.upper()}"
    if of.startswith("_"):
        return f"{name} of {of[1:]} objects"
    return f"{name} at IoU {int(of) / 100:g}" if letter == "p" else f"{name} with {count(int(of), 'detection')}"


def sentence_case(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def axis_name(metric: str) -> str:
    """A metric's name and unit for an axis."""
    return sentence_case(spell(metric)) + (" (%)" if is_share(metric) else "")


def write_value(metric: str, value: float) -> str:
    """A metric's value for a person.

    >>> write_value("accuracy", 0.98251), write_value("loss", 0.0612345)
    ('98.3\\u202f%', '0.06123')
    """
    return percent(value) if is_share(metric) else number(value)


def percent(share: float, digits: int = 1) -> str:
    """A share as per cent; what is short of all is never rounded up to 100 %."""
    if not math.isfinite(share):
        return "–"
    shown = 100 * share
    rounded = round(shown, digits)
    if (rounded >= 100 and share < 1) or (rounded <= 0 and share > 0):
        digits += 1
        step = 10.0**-digits
        rounded = min(max(shown, step), 100 - step)
    return f"{rounded:.{digits}f}\u202f%" if share not in (0, 1) else f"{shown:.0f}\u202f%"


def number(value: float) -> str:
    """A number with four significant figures; integers whole."""
    if not math.isfinite(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(0.0123), duration(84), duration(7384)
    ('12.3 ms', '1 min 24 s', '2 h 3 min')
    """
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def count(many: int, noun: str) -> str:
    """A count with its noun: "1 picture", "1,200 pictures"."""
    return f"{many:,} {noun}{'' if many == 1 else 's'}"
