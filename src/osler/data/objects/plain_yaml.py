"""YAML as a list of classes needs it: no aliases, which can grow to gigabytes, no Python objects, errors with a line."""

from pathlib import Path
from typing import Any

import yaml

from osler.data.plain_text import read_text, shown
from osler.structures.errors import DataError

LARGEST = 2**22  # bytes


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases as it meets them."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As YAML has it, aliases excepted."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(problem=f"alias *{event.anchor}; write it out", problem_mark=event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        DataError: it cannot be read, is too large, or is no plain YAML in UTF-8.
    """
    if path.is_file() and path.stat().st_size > LARGEST:
        raise DataError(f"{path} has {path.stat().st_size:,} bytes; a list of classes has no more than {LARGEST:,}.")
    text = read_text(path)
    try:
        return yaml.load(text, _PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise DataError(f"{path}{line}: this is no plain YAML ({shown(error.problem)}).") from error
    except RecursionError:
        raise DataError(f"{path} is nested too deeply for a list of classes. It is not read.") from None
    except (yaml.YAMLError, ValueError, LookupError) as error:  # a date or number that there is not, for one
        raise DataError(f"{path} is no plain YAML ({shown(error)}).") from error
