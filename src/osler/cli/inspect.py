"""The command `osler inspect`."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from osler.structures.errors import RecipeError
from osler.structures.files import write_text

if TYPE_CHECKING:  # the command line must not load torch to say what it can do
    from osler.anatomy.layer import Anatomy

STANDARD_OUTPUT = Path("-")
NARROWEST = 100


@dataclass(frozen=True, slots=True)
class Request:
    """What was typed."""

    model: str
    words: list[str]
    size: str | None
    channels: int | None
    classes: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """How the anatomy is to be shown."""

    depth: int | None
    worked: bool
    devices: list[str]
    json_file: Path | None
    markdown: Path | None
    svg: Path | None


def work(request: Request, pictures: list[Path], outs: list[Path]) -> int:
    """Works the backpropagation, prints it or writes it, and returns the exit status: 1 where it disagrees with autograd."""
    from osler.verbs.backprop import worked_backpropagation

    typed = {"num_classes": request.classes, "in_channels": request.channels, "size": _sizes(request.size)}
    said: dict[str, Any] = {name: value for name, value in typed.items() if value is not None}
    worked = worked_backpropagation(request.model, pictures or None, out=outs, **said, **_options(request.words))
    console = Console(highlight=False)
    if outs:
        console.print(Text(f"Written: {', '.join(map(str, outs))}"), soft_wrap=True)
    else:
        console.print(Text(str(worked)), soft_wrap=True)
    return int(not worked.agrees)


def run(request: Request, answer: Answer) -> None:
    """Inspects, prints the table, and writes the files that were asked for."""
    from osler.verbs.inspect import inspect

    anatomy = inspect(
        request.model,
        _sizes(request.size),
        num_classes=1000 if request.classes is None else request.classes,
        in_channels=3 if request.channels is None else request.channels,
        **_options(request.words),
    )
    if STANDARD_OUTPUT not in (answer.json_file, answer.markdown, answer.svg):
        _print(anatomy, answer)
    _write(anatomy, answer)


def _print(anatomy: "Anatomy", answer: Answer) -> None:
    from osler.anatomy.roofline import estimated, find_device
    from osler.anatomy.terminal import estimate_lines, print_anatomy

    console = Console(highlight=False)
    if console.width < NARROWEST:
        console = Console(highlight=False, width=NARROWEST, soft_wrap=True)
    devices = [device for name in answer.devices for device in find_device(name)]
    print_anatomy(anatomy, console, depth=answer.depth, worked=answer.worked)
    if devices:
        for line in estimate_lines([estimated(anatomy, device) for device in devices]):
            console.print(line)


def _write(anatomy: "Anatomy", answer: Answer) -> None:
    from osler.anatomy.as_data import as_data
    from osler.anatomy.drawing import as_svg
    from osler.anatomy.markdown import as_markdown

    if answer.json_file is not None:
        _put(answer.json_file, json.dumps(as_data(anatomy, depth=answer.depth), indent=1) + "\n")
    if answer.markdown is not None:
        _put(answer.markdown, as_markdown(anatomy, depth=answer.depth, worked=answer.worked))
    if answer.svg is not None:
        _put(answer.svg, as_svg(anatomy, depth=answer.depth))


def _put(path: Path, text: str) -> None:
    if path == STANDARD_OUTPUT:
        sys.stdout.write(text)
        return
    write_text(path, text)
    Console(highlight=False).print(Text(f"Written to {path}"), soft_wrap=True)


def _sizes(given: str | None) -> "int | tuple[int, ...] | None":
    """`224`, or `224x320` as height and width."""
    if given is None:
        return None
    try:
        sizes = tuple(int(n) for n in given.split("x"))
    except ValueError:
        sizes = ()
    if len(sizes) not in (1, 2) or any(n < 1 for n in sizes):
        raise RecipeError(f"--size is a side, or height x width, in pixels: 224 or 224x320; given: {given}.")
    return sizes[0] if len(sizes) == 1 else sizes


def _options(words: list[str]) -> dict[str, Any]:
    """`width=0.5` and its like: options of the network; `backbone.name=resnet18` is one within an option."""
    import yaml

    options: dict[str, Any] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise RecipeError(f"{word!r} is no option of a network: write key=value, such as width=0.5.")
        *outer, last = key.removeprefix("model.").removeprefix("options.").split(".")
        inside = options
        for part in outer:
            inside = inside.setdefault(part, {})
            if not isinstance(inside, dict):
                raise RecipeError(f"{word!r}: {part} was given a value already, and has no options of its own.")
        inside[last] = yaml.safe_load(value)
    return options
