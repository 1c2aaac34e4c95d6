"""A person's own code named in a recipe: `my_net.py:Net` is the thing called Net in the file my_net.py."""

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from osler.structures.errors import RecipeError, UnknownNameError
from osler.structures.files import from_home
from osler.structures.registry import unknown


def is_file_spec(spec: str) -> bool:
    """Whether `spec` has the form `file.py:name`, rather than being a name that a registry knows."""
    file, colon, _ = spec.rpartition(":")
    return bool(colon) and file.endswith(".py")


def load_from_file(spec: str, kind: str = "thing") -> Any:
    """The function or class that `spec`, written `file.py:name`, points to.

    The file is run as a module; while it runs, its own folder is on Python's search path, so that it may import its
    neighbours. Whoever names a file trusts it: nothing is loaded that the person did not name. `kind` says in
    messages what is looked for ("loss", "network").

    Raises:
        RecipeError: the spec is not of that form, the file is missing, or running it failed; the message says where.
        UnknownNameError: the file holds nothing of that name; the nearest is offered.
    """
    if not is_file_spec(spec):
        raise RecipeError(
            f"{spec!r} does not name a {kind} in a file. Write the file, a colon and the name: my_{kind}.py:Name."
        )
    file, _, name = spec.rpartition(":")
    path = from_home(file)
    if not path.is_file():
        raise RecipeError(f"The {kind} {spec!r} is to come from {path.absolute()}, but there is no such file.")
    public = {k: v for k, v in vars(_run(path.resolve(), kind)).items() if not k.startswith("__")}
    if name not in public:
        known = [k for k, v in public.items() if callable(v)] or ["nothing that can be called"]
        raise UnknownNameError(f"In {path}: {unknown(kind, name, known)}")
    return public[name]


def _run(path: Path, kind: str) -> ModuleType:
    """The file as a module."""
    found = importlib.util.spec_from_file_location(f"osler_person_{path.stem}", path)
    assert found is not None
    assert found.loader is not None  # as every .py file has
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # dataclasses and pickle look their module up by name
    sys.path.append(str(path.parent))
    try:
        found.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(found.name, None)
        raise RecipeError(f"{path}, which should give the {kind}, does not run: {_where(error, path)}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _where(error: Exception, path: Path) -> str:
    """The error's kind and text, and the line of the person's file at which it came up."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines = [error.lineno]
    at = f" (line {lines[-1]})" if lines and lines[-1] else ""
    return f"{type(error).__name__}: {error}{at}."
