"""Whether the whole numbers that a loss of distances is given stand for classes: from the script's words and the data."""

import ast
import re

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.class_order import order_fit
from osler.vitals.evidence import LossSeen

CLASS_DATA = re.compile(
    r"load_digits|load_iris|load_wine|load_breast_cancer|make_classification|make_blobs|make_moons|mnist|cifar|covtype|svhn|olivetti|"
    r"labels-idx1-ubyte|ImageFolder",
    re.IGNORECASE,
)
CLASS_WORDS = re.compile(r"class|label|categor|species|digit|kind|breed|genre", re.IGNORECASE)
NUMBER_WORDS = re.compile(
    r"count|how.?many|number.?of|\bages?\b|rating|score|price|year|position|angle|degree|ordinal|distance",
    re.IGNORECASE,
)


def why_classes(case: Case, loss: LossSeen) -> str | None:
    """Why the numbers are taken for classes: the data set, or words and an order that means nothing; None for amounts."""
    names = _target_names(case, loss)
    before = loss.site.line if loss.site else None
    text = " ".join([*names, *(ast.unparse(a.value) for name in names for a in case.script.slice_of(name, before))])
    if NUMBER_WORDS.search(" ".join(names)) or NUMBER_WORDS.search(_described(case)):
        return None
    if _is_dense(loss) and re.search(r"mask|segment|class", text + case.script.source, re.IGNORECASE):
        return "they are the class numbers of places in a picture"
    fit = order_fit(case.models[0])
    if fit is not None and fit.share < thresholds.ORDER_FITS:
        return None
    if data := CLASS_DATA.search(text):
        return f"those of {data[0]} are classes"
    disordered = fit is not None and fit.share > thresholds.NO_ORDER and fit.typical > thresholds.CLASSES_DIFFER
    if fit is not None and disordered and CLASS_WORDS.search(text + case.script.source):
        return f"{fit.share:.0%} of random renumberings fit the inputs as well"
    return None


def _target_names(case: Case, loss: LossSeen) -> list[str]:
    """The names in the second argument of the loss's call."""
    if loss.site is None:
        return []
    for call in case.script.calls:
        if call.line <= loss.site.line <= (call.node.end_lineno or call.line) and len(call.node.args) > 1:
            return [n.id for n in ast.walk(call.node.args[1]) if isinstance(n, ast.Name)]
    return []


def _described(case: Case) -> str:
    """What the script says of itself: its text before the first line of code, and what it prints."""
    printed = [ast.unparse(c.node) for c in case.script.calls_of("print")]
    head = [line for line in case.script.lines[:12] if line.lstrip().startswith(("#", '"'))]
    return " ".join([*head, *printed])


def _is_dense(loss: LossSeen) -> bool:
    """Whether there is a target for each place of a picture."""
    shapes = [s.target.shape for s in loss.samples if s.target is not None]
    return bool(shapes) and len(shapes[0]) >= 3 and min(shapes[0][-2:]) > 4
