"""Some samples could not be read, or carry nothing."""

import ast
import re
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.data_lines import calls_any, converts, line_of, nearest
from osler.doctor.data_seen import Rows
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="corrupt-sample",
    category="data",
    phase="before",
    title="Files that cannot be read or blank images",
    symptom=(
        "The program stops at a file in the middle of an epoch; or a share of the answers is always wrong and "
        "nobody knows why."
    ),
    cause=(
        "A download broke off, a file is empty, a decoder gave None and the code put zeros in its place. "
        "Blank pictures with all kinds "
        "of labels teach the network to guess, and shift the statistics of norm layers."
    ),
    seen_by=(
        "over 0.5 % of the training pictures, and at least 3, have one value everywhere while the others do not; "
        "or an error of a decoder ended the program"
    ),
    remedies=(
        Remedy("leave them out", "Decode every file once before training, and drop those that fail or are blank."),
        Remedy("do not hide errors", "Let a failed read raise, with the file's name, in place of returning zeros."),
    ),
    sources=(
        "cleanlab, CleanVision: dark, blank and odd images",
        "Braiek and Khomh 2022 (TheDeepChecker): zero spread",
    ),
)
DECODING = re.compile(
    r"UnidentifiedImageError|cannot identify image|image file is truncated|broken data stream|imdecode|!_src\.empty\(\)|"
    r"Truncated File Read|BadZipFile|BadGzipFile|decompressing data|Not a gzipped|unpickling stack|PngImagePlugin|libpng error|"
    r"invalid load key|Failed to (?:interpret|read) file|EOFError|Error -3 while|End-of-stream"
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks for blank samples among lively ones, and at the error that ended the program."""
    ending = case.evidence.ending
    if ending.how == "crashed" and (said := DECODING.search(ending.error)):
        yield FAULT.found(
            f"reading a sample stopped the program: {ending.error.splitlines()[-1][:160] if ending.error else said.group(0)}",
            where=case.where(ending.site),
            certainty=0.995,
        )
        return
    model = case.models[0]
    data = case.data(model)
    rows = data.train
    if data.counts or rows.values.shape[1] < 16 or not len(rows):
        raise NotSeen("the inputs are no pictures or series")
    if len(data.shape) < 2 and np.median([len(np.unique(row)) for row in rows.values[:60]]) < 8:
        raise NotSeen("the inputs are a sparse table, in which empty rows are nothing special")
    blank = _blank(rows)
    if not data.whole:
        blank &= _answered_alike(rows, blank)
    if _is_an_answer(rows, blank):
        return
    count, share = int(blank.sum()), float(blank.mean()) if len(blank) else 0.0
    if count < thresholds.BLANK_SAMPLES or not thresholds.BLANK_SHARE <= share <= 0.9:
        return
    yield FAULT.found(
        f"{share:.1%} of the samples met in training ({count:,} of {len(rows):,} looked at) hold the value "
        f"{rows.values[blank][0, 0]:.3g} "
        f"everywhere, while the others have a spread of {np.median(rows.values[~blank].std(1)):.2g}",
        where=_place(case, model),
        severity="critical" if share >= 0.05 else "warning",
        certainty=0.9,
    )


def _blank(rows: Rows) -> np.ndarray:
    return np.ptp(rows.values, axis=1) == 0 if len(rows) else np.zeros(0, bool)


def _is_an_answer(rows: Rows, blank: np.ndarray) -> bool:
    """Whether blank pictures are right: they go with one class that others seldom have, or with targets near one extreme,
    as "nothing there" and a count of 0 do. What failed to load has the labels of all kinds of pictures.
    """
    if not blank.any() or blank.all():
        return False
    if rows.classes is not None:
        kinds, counts = np.unique(rows.classes[blank], return_counts=True)
        same = rows.classes == kinds[counts.argmax()]
        alike = counts.max() >= thresholds.BLANKS_ALIKE * counts.sum()
        return bool(alike and not same.all() and blank[same].mean() >= thresholds.BLANK_BY_LABEL)
    if rows.numbers is None:
        return False
    spread = np.maximum(rows.numbers.std(0), 1e-12)
    inside = rows.numbers[blank].std(0) / spread
    away = np.abs(rows.numbers[blank].mean(0) - rows.numbers.mean(0)) / spread
    return bool(np.any((inside < thresholds.BLANKS_NEAR) & (away > 1)))


def _answered_alike(rows: Rows, blank: np.ndarray) -> np.ndarray:
    """Of blank-looking samples known in part: whether others of the same batch got exactly the same answer, "
    "as equal pictures do."""
    alike = np.zeros(len(rows), bool)
    if rows.outputs is None:
        return alike
    flat = rows.outputs.reshape(len(rows), -1)
    for batch in np.unique(rows.batch[blank]):
        inside = np.flatnonzero(blank & (rows.batch == batch))
        others = np.flatnonzero(~blank & (rows.batch == batch))
        for k in inside:
            same = sum(np.allclose(flat[k], flat[j], rtol=1e-4, atol=1e-6) for j in inside if j != k)
            alike[k] = same > 0 and not any(np.allclose(flat[k], flat[j], rtol=1e-4, atol=1e-6) for j in others[:20])
    return alike


def _place(case: Case, model: ModelSeen) -> Where:
    """Where zeros stand in for what could not be read; else where files are read."""
    hidden = _hidden_failure(case.script.tree)
    steps = case.lines.inputs(model)
    reading = calls_any("imread", "imdecode", "open", "load", "read_image", "decode_image", "decode_jpeg", "frombuffer")
    step = nearest(steps, _empties, calls_any("zeros", "zeros_like", "full", "empty"), reading, converts)
    return case.line(hidden if hidden is not None else line_of(step))


def _hidden_failure(tree: ast.AST) -> int | None:
    """The line, in an `except` or under `is None`, that puts zeros in a picture's place."""
    for node in ast.walk(tree):
        body: list[ast.stmt] = []
        if isinstance(node, ast.ExceptHandler) or (isinstance(node, ast.If) and "is None" in ast.unparse(node.test)):
            body = node.body
        for statement in body:
            for call in ast.walk(statement):
                if isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] in (
                    "zeros",
                    "zeros_like",
                    "full",
                    "ones",
                    "new",
                    "empty",
                ):
                    return statement.lineno
    return None


def _empties(step: Step) -> bool:
    """`x[bad] = 0`."""
    node = step.node
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Subscript)
        and ast.unparse(node.value) in ("0", "0.0")
    )
