"""Recipes in files and on the command line: YAML, `key=value`, and errors that name the line and the nearest right key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from osler.structures.errors import RecipeError
from osler.structures.files import write_text
from osler.structures.registry import nearest
from osler.training.recipe import DEFAULT, Origin, Recipe, ResolvedRecipe

# A section named without a key stands for its first field: `data=photos` is `data.path=photos`.
FIRST_FIELD = {"data": "path", "model": "name", "task": "name", "estimator": "name", "data.augment": "preset"}


def _leaves(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all keys of a section, those of its sections included."""
    names = []
    for name, info in section.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += _leaves(inner, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names


KEYS = tuple(_leaves(Recipe))
SECTIONS = frozenset(k.rsplit(".", 1)[0] for k in KEYS if "." in k)


def full_key(key: str, where: str) -> str:
    """The dotted key that a person means: itself, a section's first field, or a last name that only one key has.

    Raises:
        RecipeError: no key is called so; the message names the nearest.
    """
    if key in KEYS or any(key.startswith(f"{k}.") for k in KEYS):
        return key
    if key in FIRST_FIELD:
        return f"{key}.{FIRST_FIELD[key]}"
    ends = [k for k in (*KEYS, *SECTIONS) if k.rsplit(".", 1)[-1] == key]
    if len(ends) == 1:
        return full_key(ends[0], where) if ends[0] in SECTIONS else ends[0]
    if len(ends) > 1:
        raise RecipeError(f"{where}: {key!r} could be any of {', '.join(sorted(ends))}. Write the one you mean.")
    close = nearest(key, KEYS) or nearest(key.rsplit(".", 1)[-1], [k.rsplit(".", 1)[-1] for k in KEYS])
    hint = f" Did you mean {close!r}?" if close else " `osler train --show` prints all keys."
    raise RecipeError(f"{where}: a recipe has no key {key!r}.{hint}")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A value that a person gave, and where."""

    value: Any
    where: str


def _entries(node: yaml.Node, where: str, prefix: str = "") -> dict[str, _Entry]:
    """The leaves of a YAML document by full key, each with the line it stands on."""
    found: dict[str, _Entry] = {}
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError(f"{where}:{node.start_mark.line + 1}: expected keys and values here.")
    for key_node, value_node in node.value:
        key = f"{prefix}{key_node.value}"
        line = f"{where}:{key_node.start_mark.line + 1}"
        if key in SECTIONS and isinstance(value_node, yaml.MappingNode):
            found |= _entries(value_node, where, f"{key}.")
            continue
        value = yaml.SafeLoader("").construct_object(value_node, deep=True)
        if key in SECTIONS and value is None:
            continue
        found[full_key(key, line)] = _Entry(value, line)
    return found


def _build(entries: Mapping[str, _Entry], start: ResolvedRecipe, origins: Mapping[str, Origin]) -> ResolvedRecipe:
    """The recipe `start` with these values; errors name the place of each."""
    tree = start.recipe.model_dump()
    for key, entry in entries.items():
        *path, last = key.split(".")
        section = tree
        for part in path:
            section = section.setdefault(part, {})
        section[last] = entry.value
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise RecipeError("\n".join(_sentence(e, entries) for e in error.errors())) from None
    set_now = {k: Origin("person") for k in entries}
    return ResolvedRecipe(recipe, {**start.origins, **set_now, **origins})


def _sentence(error: Any, entries: Mapping[str, _Entry]) -> str:
    """One validation error as a sentence: where, which key, what was given, what is allowed."""
    parts = [str(p) for p in error["loc"]]
    key = next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in entries), ".".join(parts))
    where = entries[key].where if key in entries else "recipe"
    given = entries[key].value if key in entries else error.get("input")
    expected = error["msg"][0].lower() + error["msg"][1:]
    field = _describe(key)
    return f"{where}: {key} = {given!r} is not possible: {expected}.{field}"


def _describe(key: str) -> str:
    """What a key is, from its declaration."""
    section: Any = Recipe
    for part in key.split("."):
        info = getattr(section, "model_fields", {}).get(part)
        if info is None:
            return ""
        section = info.annotation
    return f" ({key}: {info.description})" if info.description else ""


def parse_overrides(overrides: Iterable[str]) -> dict[str, _Entry]:
    """`key=value` words of a command line by full key. Values are read as YAML.

    Raises:
        RecipeError: a word has no `=`, a key is unknown, or a value cannot be read.
    """
    found = {}
    for word in overrides:
        key, equals, text = word.partition("=")
        where = f"command line, {word}"
        if not equals:
            raise RecipeError(f"{where}: expected key=value, such as data=photos or train.epochs=5.")
        try:
            value = yaml.safe_load(text) if text else ""
        except yaml.YAMLError:
            value = text
        found[full_key(key.strip(), where)] = _Entry(value, where)
    return found


def read_recipe(
    path: str | Path | None = None, overrides: Iterable[str] = (), values: Mapping[str, Any] | None = None
) -> ResolvedRecipe:
    """A recipe from a YAML file (optional), then `key=value` words, then Python values by key, over the defaults.

    Raises:
        RecipeError: a file that is missing or is no YAML, an unknown key, a wrong type, an impossible value; one line each.
    """
    entries: dict[str, _Entry] = {}
    origins: dict[str, Origin] = {}
    if path is not None:
        entries, origins = _read_file(Path(path))
    given = parse_overrides(overrides)
    given |= {full_key(k, f"argument {k}"): _Entry(v, f"argument {k}") for k, v in (values or {}).items()}
    kept = {k: o for k, o in origins.items() if k not in given}
    return _build({**entries, **given}, ResolvedRecipe(), kept)


def override(resolved: ResolvedRecipe, overrides: Iterable[str]) -> ResolvedRecipe:
    """A resolved recipe with `key=value` words over it."""
    return _build(parse_overrides(overrides), resolved, {})


def _read_file(path: Path) -> tuple[dict[str, _Entry], dict[str, Origin]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"There is no recipe at {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe {path} cannot be read: {error}.") from None
    return _parse(text, str(path))


def _parse(text: str, where: str) -> tuple[dict[str, _Entry], dict[str, Origin]]:
    """The values of a YAML text and the origins that it records."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise RecipeError(f"{place}: this is not YAML: {getattr(error, 'problem', error)}.") from None
    if node is None:
        return {}, {}
    origins = _take_origins(node)
    entries = _entries(node, where)
    if origins is None:
        return entries, {}
    # A file that Osler wrote holds every value; those that nobody set are still defaults.
    return entries, {k: origins.get(k, DEFAULT) for k in entries}


def read_text(text: str, where: str) -> ResolvedRecipe:
    """A recipe from YAML text; `where` names it in errors."""
    entries, origins = _parse(text, where)
    return _build(entries, ResolvedRecipe(), origins)


def _take_origins(node: yaml.Node) -> dict[str, Origin] | None:
    """Removes `set_by` from the document and reads it; None where the document has none."""
    if not isinstance(node, yaml.MappingNode):
        return None
    taken = [v for k, v in node.value if k.value == "set_by"]
    node.value = [(k, v) for k, v in node.value if k.value != "set_by"]
    if not taken:
        return None
    rows = yaml.SafeLoader("").construct_object(taken[0], deep=True) or {}
    return {key: Origin(*row) for key, row in rows.items()}


def _plain(value: Any) -> Any:
    """Tuples as lists, so that YAML needs no tags."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def recipe_text(resolved: ResolvedRecipe) -> str:
    """The recipe as YAML that `read_recipe` reads back, with `set_by` for every value that is not a default."""
    values = _plain(resolved.recipe.model_dump())
    rows = {k: [o.who, o.reason] if o.reason else [o.who] for k, o in resolved.origins.items() if o.who != "default"}
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
    text += "\n# Who set each value that is not a default, and why.\n"
    return text + yaml.safe_dump({"set_by": rows}, sort_keys=True, allow_unicode=True, width=110)


def write_recipe(resolved: ResolvedRecipe, path: Path) -> None:
    """The recipe as a file, written beside and renamed."""
    write_text(path, recipe_text(resolved))
