"""The main output of a network that may give those of auxiliary classifiers after it."""

from typing import Any


def main_output(answer: Any) -> Any:
    """What a network answered, or of a tuple its first item: the main output; the others are auxiliary classifiers'."""
    return answer[0] if isinstance(answer, tuple) else answer
