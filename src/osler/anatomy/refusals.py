"""Why a network could not be followed, as a sentence for the person: which layer, what it was given, what to do."""

from torch import Tensor

from osler.anatomy.stack import ModuleStack
from osler.anatomy.trace import ForwardTrace
from osler.structures.errors import OslerError

LONGEST = 120  # characters of an error's own words
TOO_SMALL = ("too small", "greater than actual input", "Padding size should be less", "smaller than")  # PyTorch's words


def needs_numbers(error: Exception) -> bool:
    """Whether an operator failed because there are shapes and no numbers."""
    text = str(error).lower()
    return isinstance(error, NotImplementedError) or "meta" in text or "data-dependent" in text or "fake" in text


def does_not_fit(forward: ForwardTrace, stack: ModuleStack, picture: Tensor, name: str, error: Exception) -> str:
    """The sentence: what the map is, before which layer, and what to do."""
    operator, shape = forward.failed_on or ("", ())
    given = "x".join(map(str, picture.shape[1:]))
    too_small = isinstance(error, OslerError) or any(words in str(error) for words in TOO_SMALL)
    if too_small and any(word in operator for word in ("conv", "pool", "pad")) and len(shape) > 2:
        sides = "x".join(map(str, shape[2:]))
        return (
            f"{name} cannot see a picture of {given}: the map is {sides} before {stack.where()}, and there: "
            f"{first_line(error)}. Give a larger picture (--size)."
        )
    return (
        f"{name} does not take an input of {given}: {stack.where()} is given {list(shape)} ({first_line(error)}). "
        "Give a picture of the size that it was made for (--size)."
    )


def first_line(error: BaseException) -> str:
    """The error's own words, without the full stop."""
    lines = str(error).strip().splitlines()
    line = (lines[0] if lines else type(error).__name__).rstrip(". ")
    return line if len(line) <= LONGEST else line[: line.rfind(" ", 0, LONGEST)] + " …"
