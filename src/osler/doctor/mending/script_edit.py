"""Edits of a script that keep its comments and its formatting, by places: a line, and what stands there.

Lines are those of the script as it was when the edit began, whatever was edited before.
"""

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

Change = Callable[[cst.Call], cst.BaseExpression]


class CannotEditError(Exception):
    """What was to be edited is not there, or not in a form that this edit knows; the sentence says what."""


class ScriptEdit:
    """A script being edited.

    >>> edit = ScriptEdit("opt = SGD(p, lr=0.1)  # fast\\n")
    >>> edit.set_argument(1, "SGD", "lr", "0.01")
    >>> edit.source
    'opt = SGD(p, lr=0.01)  # fast\\n'
    """

    def __init__(self, source: str) -> None:
        """Reads the script.

        Raises:
            CannotEditError: it is no valid Python.
        """
        self.original = source
        try:
            self._wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
        except cst.ParserSyntaxError as error:
            raise CannotEditError(f"The script does not parse: {error.message}") from error
        self._lines = {node: (p.start.line, p.end.line) for node, p in self._wrapper.resolve(PositionProvider).items()}
        self._nodes: dict[cst.CSTNode, cst.CSTNode] = {}  # what became of a node of the original
        self._before: dict[cst.CSTNode, list[cst.CSTNode]] = {}
        self._after: dict[cst.CSTNode, list[cst.CSTNode]] = {}
        self._removed: set[cst.CSTNode] = set()
        self._imports: list[str] = []

    # ---- finding

    def calls(self, line: int, *names: str) -> list[cst.Call]:
        """The calls that begin at a line, outermost first, of these names: `step` means any `... .step(...)` too."""
        return [
            node
            for node, (first, _) in self._lines.items()
            if isinstance(node, cst.Call) and first == line and (not names or last_name(node.func) in names)
        ]

    def all_calls(self, *names: str) -> list[tuple[int, cst.Call]]:
        """Every call of these names, with its line, in the order of lines."""
        found = [
            (first, node)
            for node, (first, _) in self._lines.items()
            if isinstance(node, cst.Call) and last_name(node.func) in names
        ]
        return sorted(found, key=lambda pair: pair[0])

    def statement(self, line: int) -> cst.SimpleStatementLine | cst.BaseCompoundStatement:
        """The innermost statement that stands at a line: of a statement over several lines any of them.

        Raises:
            CannotEditError: there is none.
        """
        found = [
            (last - first, node)
            for node, (first, last) in self._lines.items()
            if isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)) and first <= line <= last
        ]
        if not found:
            raise CannotEditError(f"No statement stands at line {line}.")
        return min(found, key=lambda pair: pair[0])[1]

    def expressions(self, line: int, kind: type[cst.CSTNode]) -> list[cst.CSTNode]:
        """The nodes of a kind that begin at a line, outermost first."""
        return [node for node, (first, _) in self._lines.items() if isinstance(node, kind) and first == line]

    def code(self, node: cst.CSTNode) -> str:
        """A node as source text."""
        return self._wrapper.module.code_for_node(node).strip()

    def line_of(self, node: cst.CSTNode) -> int:
        """The line at which a node begins."""
        return self._lines[node][0]

    # ---- editing

    def replace(self, node: cst.CSTNode, code: str) -> None:
        """Puts another expression in the place of one."""
        self._nodes[node] = cst.parse_expression(code)

    def change_call(self, line: int, names: str | Sequence[str], change: Change) -> None:
        """Puts `change(call)` in the place of the first call of one of these names at a line.

        Raises:
            CannotEditError: there is none.
        """
        names = (names,) if isinstance(names, str) else tuple(names)
        found = self.calls(line, *names)
        if not found:
            raise CannotEditError(f"No call of {' or '.join(names)} stands at line {line}.")
        self._nodes[found[0]] = change(found[0])

    def set_argument(self, line: int, call: str, name: str, code: str, position: int | None = None) -> None:
        """Gives an argument of a call a value, where it stands by name or at a position, else adds it by name.

        Raises:
            CannotEditError: no such call is at the line.
        """
        self.change_call(line, call, lambda node: with_argument(self._now(node), name, code, position))

    def remove_argument(self, line: int, call: str, name: str) -> None:
        """Takes an argument that is given by name out of a call.

        Raises:
            CannotEditError: no such call is at the line.
        """
        self.change_call(line, call, lambda node: without_argument(self._now(node), name))

    def insert_before(self, line: int, code: str) -> None:
        """Puts statements before the one at a line, in its block."""
        self._before.setdefault(self.statement(line), []).extend(_statements(code))

    def insert_after(self, line: int, code: str) -> None:
        """Puts statements after the one at a line, in its block."""
        self._after.setdefault(self.statement(line), []).extend(_statements(code))

    def replace_statement(self, line: int, code: str) -> None:
        """Puts statements in the place of the one at a line; its comment at the line's end stays."""
        node = self.statement(line)
        new = _statements(code)
        if isinstance(node, cst.SimpleStatementLine) and new and isinstance(new[-1], cst.SimpleStatementLine):
            new[-1] = new[-1].with_changes(trailing_whitespace=node.trailing_whitespace)
            new[0] = new[0].with_changes(leading_lines=node.leading_lines)
        self._before.setdefault(node, []).extend(new)
        self._removed.add(node)

    def remove_statement(self, line: int) -> None:
        """Takes the statement at a line out; a block that it leaves empty gets a `pass`."""
        self._removed.add(self.statement(line))

    def add_import(self, code: str) -> None:
        """Puts an import behind the last import at the top, unless the same stands there."""
        if code not in self._imports and code not in self.original.splitlines():
            self._imports.append(code)

    # ---- the outcome

    @property
    def source(self) -> str:
        """The script as edited."""
        edited = self._wrapper.module.visit(_Writer(self._nodes, self._before, self._after, self._removed))
        assert isinstance(edited, cst.Module)
        return _with_imports(edited, self._imports).code

    @property
    def changed(self) -> bool:
        """Whether anything was edited."""
        return self.source != self.original

    def _now(self, node: cst.Call) -> cst.Call:
        now = self._nodes.get(node, node)
        return now if isinstance(now, cst.Call) else node


class _Writer(cst.CSTTransformer):
    """Carries the edits out."""

    def __init__(
        self,
        nodes: dict[cst.CSTNode, cst.CSTNode],
        before: dict[cst.CSTNode, list[cst.CSTNode]],
        after: dict[cst.CSTNode, list[cst.CSTNode]],
        removed: set[cst.CSTNode],
    ) -> None:
        super().__init__()
        self._nodes, self._before, self._after, self._removed = nodes, before, after, removed

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        """What stands in the node's place."""
        if original_node in self._nodes:
            return self._nodes[original_node]
        left: Any = super().on_leave(original_node, updated_node)
        if isinstance(left, cst.IndentedBlock) and not left.body:
            return left.with_changes(body=[cst.parse_statement("pass")])
        around = original_node in self._before or original_node in self._after
        if not around and original_node not in self._removed:
            return left
        kept = [] if original_node in self._removed else [left]
        whole = [*self._before.get(original_node, []), *kept, *self._after.get(original_node, [])]
        return cst.FlattenSentinel(whole) if whole else cst.RemoveFromParent()


# ---- parts of calls


def last_name(node: cst.BaseExpression) -> str:
    """The last part of a dotted name: `step` of `optimizer.step`."""
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def argument(call: cst.Call, name: str, position: int | None = None) -> cst.Arg | None:
    """An argument by name, else by position."""
    for arg in call.args:
        if arg.keyword is not None and arg.keyword.value == name:
            return arg
    plain = [arg for arg in call.args if arg.keyword is None and not arg.star]
    return plain[position] if position is not None and position < len(plain) else None


def with_argument(call: cst.Call, name: str, code: str, position: int | None = None) -> cst.Call:
    """The call with an argument's value changed, or added by name."""
    value = cst.parse_expression(code)
    present = argument(call, name, position)
    if present is not None:
        args = [arg.with_changes(value=value) if arg is present else arg for arg in call.args]
        return call.with_changes(args=args)
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    added = cst.Arg(value, cst.Name(name), equal=equal)
    args = list(call.args)
    if args:
        args[-1] = args[-1].with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
    return call.with_changes(args=[*args, added])


def without_argument(call: cst.Call, name: str) -> cst.Call:
    """The call without an argument that is given by name."""
    kept = [arg for arg in call.args if arg.keyword is None or arg.keyword.value != name]
    if kept and len(kept) < len(call.args):
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return call.with_changes(args=kept)


def _statements(code: str) -> list[cst.CSTNode]:
    return list(cst.parse_module(code.rstrip("\n") + "\n").body)


def _with_imports(module: cst.Module, imports: list[str]) -> cst.Module:
    if not imports:
        return module
    body = list(module.body)
    last = max((k for k, node in enumerate(body) if _is_import(node)), default=-1)
    if last < 0 and body and _is_docstring(body[0]):
        last = 0
    body[last + 1 : last + 1] = [cst.parse_statement(code) for code in imports]
    return module.with_changes(body=body)


def _is_import(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.SimpleStatementLine) and isinstance(node.body[0], (cst.Import, cst.ImportFrom))


def _is_docstring(node: cst.CSTNode) -> bool:
    return (
        isinstance(node, cst.SimpleStatementLine)
        and isinstance(node.body[0], cst.Expr)
        and isinstance(node.body[0].value, cst.SimpleString)
    )


def unified_diff(before: str, after: str, file: str) -> str:
    """The difference as `patch` reads it; empty where there is none."""
    name = Path(file).name
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), name, name)
    text = ""
    for line in lines:
        text += line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
    return text
