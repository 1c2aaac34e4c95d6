"""A script written again with what was edited in it."""

from collections.abc import Callable
from typing import Any

import libcst as cst


class Writer(cst.CSTTransformer):
    """Carries the edits out."""

    def __init__(
        self,
        nodes: dict[cst.CSTNode, cst.CSTNode],
        changes: dict[cst.CSTNode, list[Callable[[Any], cst.CSTNode]]],
        before: dict[cst.CSTNode, list[cst.CSTNode]],
        after: dict[cst.CSTNode, list[cst.CSTNode]],
        removed: set[cst.CSTNode],
    ) -> None:
        super().__init__()
        self._nodes, self._changes = nodes, changes
        self._before, self._after, self._removed = before, after, removed

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        """What stands in the node's place."""
        left: Any = self._nodes.get(original_node) or super().on_leave(original_node, updated_node)
        for change in self._changes.get(original_node, ()):
            left = change(left)
        if isinstance(left, cst.IndentedBlock) and not left.body:
            return left.with_changes(body=[cst.parse_statement("pass")])
        around = original_node in self._before or original_node in self._after
        if not around and original_node not in self._removed:
            return left
        kept = [] if original_node in self._removed else [left]
        whole = [*self._before.get(original_node, []), *kept, *self._after.get(original_node, [])]
        return cst.FlattenSentinel(whole) if whole else cst.RemoveFromParent()
