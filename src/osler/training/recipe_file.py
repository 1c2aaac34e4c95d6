"""Recipes in files and on the command line: YAML, `key=value`, and errors that name the line and the nearest right key."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from osler.structures.errors import RecipeError
from osler.structures.files import write_text
from osler.structures.registry import nearest
from osler.training import yaml_dialect
from osler.training.recipe import DEFAULT, Origin, Recipe, ResolvedRecipe, Who, flatten

# A section named without a key stands for its first field: `data=photos` is `data.path=photos`.
FIRST_FIELD = {"data": "path", "model": "name", "task": "name", "estimator": "name", "data.augment": "preset"}


def _leaves(section: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Dotted names of all keys of a section, those of its sections included, with their declarations."""
    found: dict[str, Any] = {}
    for name, info in section.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= _leaves(inner, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = info
    return found


DECLARED = _leaves(Recipe)
KEYS = tuple(DECLARED)
SECTIONS = frozenset(k.rsplit(".", 1)[0] for k in KEYS if "." in k)
FREE = tuple(
    k for k, info in DECLARED.items() if get_origin(info.annotation) is dict
)  # whose keys are their owner's to know


def full_key(key: str, where: str) -> str:
    """The dotted key that a person means: itself, a section's first field, or a last name that only one key has.

    Raises:
        RecipeError: no key is called so; the message names the nearest.
    """
    if key in KEYS or any(key.startswith(f"{k}.") for k in FREE):
        return key
    if key in FIRST_FIELD:
        return f"{key}.{FIRST_FIELD[key]}"
    if key in SECTIONS:
        keys = [k for k in KEYS if k.startswith(f"{key}.")]
        raise RecipeError(f"{where}: {key} is a section. Give one of its keys: {', '.join(keys)}.")
    ends = [k for k in (*KEYS, *SECTIONS) if k.rsplit(".", 1)[-1] == key]
    if len(ends) == 1:
        return full_key(ends[0], where) if ends[0] in SECTIONS else ends[0]
    if len(ends) > 1:
        raise RecipeError(f"{where}: {key!r} could be any of {', '.join(sorted(ends))}. Write the one you mean.")
    close = nearest(key, (*KEYS, *SECTIONS)) or nearest(key.rsplit(".", 1)[-1], [k.rsplit(".", 1)[-1] for k in KEYS])
    hint = f" Did you mean {close!r}?" if close else " `osler train --show` prints all keys."
    raise RecipeError(f"{where}: a recipe has no key {key!r}.{hint}")


def short_key(key: str) -> str:
    """The shortest word that `full_key` reads as this key: `model.size` is `size`, `task.name` is `task`."""
    for section, first in FIRST_FIELD.items():
        if key == f"{section}.{first}":
            key = section
    last = key.rsplit(".", 1)[-1]
    return last if sum(k.rsplit(".", 1)[-1] == last for k in (*KEYS, *SECTIONS)) == 1 else key


def _section_meant(key: str) -> str | None:
    """The section that a key names: in full, or by a last name that only one section has."""
    if key in SECTIONS:
        return key
    ends = [s for s in SECTIONS if s.rsplit(".", 1)[-1] == key]
    return ends[0] if len(ends) == 1 else None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A value that a person gave, and where."""

    value: Any
    where: str


def _entries(node: yaml.Node, where: str, prefix: str = "") -> dict[str, _Entry]:
    """The leaves of a YAML document by full key, each with the line it stands on."""
    found: dict[str, _Entry] = {}
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError(f"{where}:{node.start_mark.line + 1}: expected keys and values here, such as `epochs: 5`.")
    for key_node, value_node in node.value:
        key = f"{prefix}{key_node.value}"
        line = f"{where}:{key_node.start_mark.line + 1}"
        section = _section_meant(key)
        if section and isinstance(value_node, yaml.MappingNode):
            inner = _entries(value_node, where, f"{section}.")
        elif section and value_node.tag == "tag:yaml.org,2002:null":
            continue
        else:
            key = full_key(key, line)
            inner = {key: _Entry(_node_value(key, value_node, line), line)}
        for key in inner:
            if key in found:
                raise RecipeError(f"{inner[key].where}: {key} was given before, at {found[key].where}. Keep one.")
        found |= inner
    return found


def _node_value(key: str, node: yaml.Node, line: str) -> Any:
    """The value of a node; the words of keys that hold text stay as written (`path: 2024`)."""
    try:
        value = yaml_dialect.value_of(node)
    except yaml.YAMLError as error:
        raise RecipeError(f"{line}: the value of {key} cannot be read: {getattr(error, 'problem', error)}.") from None
    return _as_written(key, value, node.value) if isinstance(node, yaml.ScalarNode) and value is not None else value


def _as_written(key: str, value: Any, text: str) -> Any:
    """For a key that holds text: the text, where YAML saw a number, a date or a truth value in it."""
    wants_text = key in DECLARED and DECLARED[key].annotation is str
    return text if wants_text and not isinstance(value, (str, list, dict)) else value


def _build(entries: Mapping[str, _Entry], start: ResolvedRecipe, origins: Mapping[str, Origin]) -> ResolvedRecipe:
    """The recipe `start` with these values; errors name the place of each."""
    tree = start.recipe.model_dump()
    for key, entry in entries.items():
        *path, last = key.split(".")
        section = tree
        for part in path:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise RecipeError(f"{entry.where}: {key.rpartition('.')[0]} has no keys of its own.")
        section[last] = _plain(entry.value)
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise RecipeError("\n".join(_sentences(error, entries))) from None
    set_now = {k: Origin("person") for k in entries}
    return ResolvedRecipe(recipe, {**start.origins, **set_now, **origins})


def _sentences(error: ValidationError, entries: Mapping[str, _Entry]) -> Iterable[str]:
    """A sentence for each wrong value: where, which key, what was given, what is allowed."""
    expected: dict[str, list[str]] = {}
    inputs: dict[str, Any] = {}
    for one in error.errors():
        parts = [str(p) for p in one["loc"]]
        names = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
        key = next((n for n in names if n in entries), next((n for n in names if n in KEYS), names[0]))
        inputs.setdefault(key, one["input"])
        expected.setdefault(key, []).append(_expected(one))
    for key, wanted in expected.items():
        where = entries[key].where if key in entries else "recipe"
        given = entries[key].value if key in entries else inputs[key]
        allowed = ", or ".join(dict.fromkeys(wanted))
        about = f" ({key}: {DECLARED[key].description})" if key in DECLARED else ""
        yield f"{where}: {key} = {given!r} is not possible: {allowed}.{about}"


def _expected(error: Any) -> str:
    """What pydantic would have allowed, in a person's words."""
    if error["type"] == "tuple_type":
        return f"expected is a list, such as [{error['input']}]"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def parse_overrides(overrides: Iterable[str]) -> dict[str, _Entry]:
    """`key=value` words of a command line by full key. Values are read as YAML.

    Raises:
        RecipeError: a word has no `=`, a key is unknown, or a value cannot be read.
    """
    found: dict[str, _Entry] = {}
    for word in overrides:
        key, equals, text = word.partition("=")
        where = f"command line, {word}"
        if not equals:
            raise RecipeError(f"{where}: expected key=value, such as data=photos or train.epochs=5.")
        for full, value in _spread(key.strip(), yaml_dialect.read_word(text), where):
            found[full] = _Entry(_as_written(full, value, text), where)
    return found


def _spread(key: str, value: Any, where: str) -> Iterable[tuple[str, Any]]:
    """A value by full key; a mapping given for a section, `train={epochs: 5}`, as the values of its keys."""
    section = _section_meant(key)
    if not section or not isinstance(value, Mapping):
        return [(full_key(key, where), value)]
    return [pair for k, v in value.items() for pair in _spread(f"{section}.{k}", v, where)]


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
    for key, value in (values or {}).items():
        where = f"argument {key}"
        given |= {full: _Entry(one, where) for full, one in _spread(key, value, where)}
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
        node = yaml_dialect.compose(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise RecipeError(f"{place}: this is not YAML: {getattr(error, 'problem', None) or error}.") from None
    if node is None:
        return {}, {}
    origins = _take_origins(node, where)
    entries = _entries(node, where)
    if origins is None:
        return entries, {}
    # A file that Osler wrote holds every value; those that nobody set, and nobody edited since, are still defaults.
    plain = dict(flatten(_plain(Recipe().model_dump())))
    untouched = {k: DEFAULT for k, entry in entries.items() if k in plain and _plain(entry.value) == plain[k]}
    return entries, {**untouched, **origins}


def read_text(text: str, where: str) -> ResolvedRecipe:
    """A recipe from YAML text; `where` names it in errors."""
    entries, origins = _parse(text, where)
    return _build(entries, ResolvedRecipe(), origins)


def _take_origins(node: yaml.Node, where: str) -> dict[str, Origin] | None:
    """Removes `set_by` from the document and reads it; None where the document has none."""
    if not isinstance(node, yaml.MappingNode):
        return None
    taken = [v for k, v in node.value if k.value == "set_by"]
    node.value = [(k, v) for k, v in node.value if k.value != "set_by"]
    if not taken:
        return None
    try:
        return {key: _origin(*row) for key, row in (yaml_dialect.value_of(taken[0]) or {}).items()}
    except (yaml.YAMLError, TypeError, ValueError, AttributeError):
        line = taken[0].start_mark.line + 1
        raise RecipeError(
            f"{where}:{line}: set_by is Osler's own record. Leave it as it was, or remove it whole."
        ) from None


def _origin(who: Who, reason: str = "") -> Origin:
    if who not in get_args(Who):
        raise ValueError(who)
    return Origin(who, reason)


def _plain(value: Any) -> Any:
    """Tuples as lists and paths as text, so that YAML needs no tags."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def recipe_text(resolved: ResolvedRecipe) -> str:
    """The recipe as YAML that `read_recipe` reads back, with `set_by` for every value that is not a default."""
    values = _plain(resolved.recipe.model_dump())
    rows = {k: [o.who, o.reason] if o.reason else [o.who] for k, o in resolved.origins.items() if o.who != "default"}
    text = yaml_dialect.dump(values, sort_keys=False)
    text += "\n# Who set each value that is not a default, and why.\n"
    return text + yaml_dialect.dump({"set_by": rows}, sort_keys=True)


def write_recipe(resolved: ResolvedRecipe, path: Path) -> None:
    """The recipe as a file, written beside and renamed."""
    write_text(path, recipe_text(resolved))
