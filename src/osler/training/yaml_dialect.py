"""YAML as people write numbers: `1e-3` is one. (YAML 1.1, which PyYAML reads, asks for `1.0e-3`, and takes ours for a word.)"""

import re
from typing import Any

import yaml

_NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


class Loader(yaml.SafeLoader):
    """Reads plain values only: nothing in a file is executed."""


class Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads back: a word that looks like a number is quoted."""


for _dialect in (Loader, Dumper):
    _dialect.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))


def compose(text: str) -> yaml.Node | None:
    """The document as a tree whose nodes know their lines; None when it is empty."""
    return yaml.compose(text, Loader=Loader)


def value_of(node: yaml.Node) -> Any:
    """The plain value of a node.

    Raises:
        yaml.YAMLError: it asks for something that is not plain.
    """
    return Loader("").construct_object(node, deep=True)


def read_word(text: str) -> Any:
    """The value of a word on the command line; a word that is no YAML stands for itself."""
    try:
        return yaml.load(text, Loader=Loader) if text else ""
    except yaml.YAMLError:
        return text


def dump(values: Any, *, sort_keys: bool) -> str:
    """Plain values as text."""
    return yaml.dump(values, Dumper=Dumper, sort_keys=sort_keys, allow_unicode=True, width=110)
