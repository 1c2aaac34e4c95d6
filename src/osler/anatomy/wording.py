"""Numbers, shapes and receptive fields as words that fit into a column, and the totals as sentences."""

from collections.abc import Sequence

from osler.anatomy.layer import Anatomy
from osler.anatomy.receptive_field import ReceptiveField


def count(number: float) -> str:
    """Three digits and a letter: `118M`; `0` as `0`."""
    for step, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * step:
            return f"{number / step:.3g}{letter}" if number < 999.5 * step else f"{number / step:.0f}{letter}"
    return f"{number:.0f}"


def size_in_bytes(number: float | None) -> str:
    """`3.21 MB`; a question mark where it is not known."""
    if number is None:
        return "?"
    digits = count(number)
    return f"{digits[:-1]} {digits[-1]}B" if digits[-1].isalpha() else f"{digits} B"


def shape(sizes: Sequence[int]) -> str:
    """Without the batch: `64x112x112`."""
    return "x".join(map(str, sizes[1:])) if len(sizes) > 1 else str(sizes[0]) if sizes else "a number"


def share(part: float, whole: float) -> str:
    """In per cent; nothing below a half."""
    percent = 100 * part / whole if whole else 0
    return f"{percent:.0f}" if percent >= 0.5 else ""


def megabytes(number: float | None) -> str:
    """Without the unit, nothing for nothing; a question mark where it is not known."""
    if number is None:
        return "?"
    value = number / 1e6
    return (
        "" if not number else f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
    )


def seen(field: ReceptiveField | None) -> str:
    """`435`; `15x3` where the sides differ; `all` where every position sees the whole picture alike.

    A plus says that a gate, an attention or a norm sees further; a `≤` that it is at most so much.
    """
    if field is None or not field.sides:
        return ""
    bound = "" if field.exact else "≤"
    if field.everything and all(side.jump is None for side in field.sides):
        return bound + "all"
    sizes = field.size[:1] if len(set(field.size)) == 1 else field.size
    return bound + "x".join(map(str, sizes)) + ("+" if field.beyond else "")


def jump(field: ReceptiveField | None) -> str:
    """Pixels from one position to the next: `32`, `1/2`."""
    if field is None or any(side.jump is None for side in field.sides):
        return ""
    return "x".join(dict.fromkeys(str(side.jump) for side in field.sides))


def seen_in_words(field: ReceptiveField) -> str:
    """`11x11 pixels, 4 from one position to the next, position 0 around pixel 0`."""
    size, centre = (
        "x".join(f"{value:g}" for value in values)
        for values in (field.size, list(dict.fromkeys(side.centre for side in field.sides)))
    )
    step = f"{jump(field)} from one position to the next, position 0" if jump(field) else "the same from everywhere,"
    return f"{size} pixels, {step} around pixel {centre}"


def totals(anatomy: Anatomy) -> list[tuple[str, str]]:
    """What the table comes to: a name and a sentence each."""
    stored = sum(layer.parameter_bytes for layer in anatomy.layers)
    lines = [
        ("parameters", f"{anatomy.parameters:,} ({anatomy.biases:,} of them biases); {size_in_bytes(stored)} in use"),
        ("multiply-adds", f"{anatomy.multiply_adds:,} for one picture"),
        ("other operations", f"{anatomy.element_operations:,} on elements"),
        (
            "activations",
            f"{size_in_bytes(anatomy.output_bytes)} in all, at most {size_in_bytes(anatomy.peak_bytes)} at once"
            f" ({anatomy.peak_at or anatomy.name})",
        ),
        ("for training", f"{size_in_bytes(anatomy.training_bytes)} kept for the backward pass of one picture"),
    ]
    if anatomy.unused:
        names = list(anatomy.unused)
        some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        lines.append(("not used", f"{sum(anatomy.unused.values()):,} parameters in evaluation: {some}"))
    if anatomy.unknown:
        listed = ", ".join(f"{name} ({times}x)" for name, times in anatomy.unknown.items())
        lines.append(("not counted", f"operators without a rule: {listed}"))
    return lines
