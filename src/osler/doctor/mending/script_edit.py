"""Edits of a script that keep its comments and its formatting, by places: a line, and what stands there.

Lines are those of the script as it was when the edit began, whatever was edited before.
"""

import ast
import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from osler.doctor.mending.call_parts import argument as argument
from osler.doctor.mending.call_parts import last_name as last_name
from osler.doctor.mending.call_parts import with_argument as with_argument
from osler.doctor.mending.call_parts import without_argument as without_argument
from osler.doctor.mending.script_writing import Writer

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
        places = self._wrapper.resolve(PositionProvider)
        self._lines = {node: (p.start.line, p.end.line) for node, p in places.items()}
        self._spans = {
            (p.start.line, p.start.column, p.end.line, p.end.column): node
            for node, p in places.items()
            if isinstance(node, cst.BaseExpression)
        }
        self._text_lines = source.splitlines()
        self._nodes: dict[cst.CSTNode, cst.CSTNode] = {}  # what stands in the place of a node of the original
        self._changes: dict[
            cst.CSTNode, list[Callable[[Any], cst.CSTNode]]
        ] = {}  # of a node whose parts may change too
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

    def every(self, kind: type[cst.CSTNode]) -> list[tuple[int, Any]]:
        """Every node of a kind, with its line, in the order of lines."""
        found = [(first, node) for node, (first, _) in self._lines.items() if isinstance(node, kind)]
        return sorted(found, key=lambda pair: pair[0])

    def found(self, node: ast.expr) -> cst.BaseExpression | None:
        """As `at`, None where there is no such expression."""
        try:
            return self.at(node)
        except CannotEditError:
            return None

    def at(self, node: ast.expr) -> cst.BaseExpression:
        """The expression that Python's own syntax tree of the script has as `node`.

        Raises:
            CannotEditError: no expression has this place, as a tuple in brackets.
        """
        span = (
            node.lineno,
            self._column(node.lineno, node.col_offset),
            node.end_lineno or node.lineno,
            self._column(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset),
        )
        found = self._spans.get(span)
        if not isinstance(found, cst.BaseExpression):
            raise CannotEditError(f"No such expression stands at line {node.lineno}.")
        return found

    def _column(self, line: int, offset: int) -> int:
        text = self._text_lines[line - 1] if line <= len(self._text_lines) else ""
        return offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """What a node is a part of."""
        return self._wrapper.resolve(ParentNodeProvider).get(node)

    def above(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        """All that a node is a part of, the nearest first."""
        found: list[cst.CSTNode] = []
        parent = self.parent(node)
        while parent is not None:
            found.append(parent)
            parent = self.parent(parent)
        return found

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

    def change(self, node: cst.CSTNode, change: Callable[[Any], cst.CSTNode]) -> None:
        """Puts `change(node)` in the place of a node, what was edited inside of it included."""
        self._changes.setdefault(node, []).append(change)

    def wrap(self, node: cst.CSTNode, form: str) -> None:
        """Puts `form` in the place of an expression, with the expression where `{}` stands in it."""
        self.change(node, lambda now: cst.parse_expression(form.replace("{}", self.code(now), 1)))

    def change_call(self, line: int, names: str | Sequence[str], change: Change) -> None:
        """Puts `change(call)` in the place of the first call of one of these names at a line.

        Raises:
            CannotEditError: there is none.
        """
        names = (names,) if isinstance(names, str) else tuple(names)
        found = self.calls(line, *names)
        if not found:
            raise CannotEditError(f"No call of {' or '.join(names)} stands at line {line}.")
        self.change(found[0], change)

    def set_argument(self, line: int, call: str, name: str, code: str, position: int | None = None) -> None:
        """Gives an argument of a call a value, where it stands by name or at a position, else adds it by name.

        Raises:
            CannotEditError: no such call is at the line.
        """
        self.change_call(line, call, lambda node: with_argument(node, name, code, position))

    def remove_argument(self, line: int, call: str, name: str) -> None:
        """Takes an argument that is given by name out of a call.

        Raises:
            CannotEditError: no such call is at the line.
        """
        self.change_call(line, call, lambda node: without_argument(node, name))

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

    def move_before(self, line: int, target: int) -> None:
        """Puts the statement at a line before another one, with the comments above it."""
        node = self.statement(line)
        self._removed.add(node)
        self._before.setdefault(self.statement(target), []).append(node.deep_clone())

    def move_after(self, line: int, target: int) -> None:
        """Puts the statement at a line behind another one, with the comments above it."""
        node = self.statement(line)
        self._removed.add(node)
        self._after.setdefault(self.statement(target), []).append(node.deep_clone())

    def remove_statement(self, line: int) -> None:
        """Takes the statement at a line out; a block that it leaves empty gets a `pass`."""
        self._removed.add(self.statement(line))

    def remove_node(self, node: cst.CSTNode) -> None:
        """Takes a statement out; a block that it leaves empty gets a `pass`."""
        self._removed.add(node)

    def insert_item(self, node: cst.BaseExpression, code: str) -> None:
        """Puts an expression behind one that is an argument of a call, or a part of a list or tuple.

        Raises:
            CannotEditError: it is no such part.
        """
        item = self._item(node)
        own_line = self._stands_alone(item)
        comma = _without_comment(item.comma) if own_line else item.comma
        made: cst.Arg | cst.Element = type(item)(cst.parse_expression(code), comma=comma)
        self._after.setdefault(item, []).append(made)
        if not own_line:
            self.change(item, lambda kept: kept.with_changes(comma=_comma(kept.comma)))

    def _stands_alone(self, item: cst.Arg | cst.Element) -> bool:
        """Whether a part has a line of its own, and a comma at its end."""
        whole = self.parent(item)
        items = list(whole.args if isinstance(whole, cst.Call) else getattr(whole, "elements", ()))
        place = items.index(item)
        before = items[place - 1] if place else whole
        begins = before is not None and self._lines[before][1 if place else 0] < self._lines[item][0]
        return (
            begins
            and isinstance(item.comma, cst.Comma)
            and not isinstance(item.comma.whitespace_after, cst.SimpleWhitespace)
        )

    def remove_item(self, node: cst.BaseExpression) -> None:
        """Takes an argument of a call, or a part of a list or tuple, out.

        Raises:
            CannotEditError: it is no such part.
        """
        item = self._item(node)
        whole = self.parent(item)
        items = list(whole.args if isinstance(whole, cst.Call) else getattr(whole, "elements", ()))
        left = [i for i in items if i is item or i not in self._removed]
        if len(left) > 1 and left[-1] is item:
            self.change(left[-2], lambda kept: kept.with_changes(comma=_last_comma(kept.comma, items[-1].comma)))
        self._removed.add(item)

    def is_item(self, node: cst.CSTNode) -> bool:
        """Whether an expression is an argument of a call given by place, or a part of a list or tuple."""
        parent = self.parent(node)
        return isinstance(parent, cst.Element) or (
            isinstance(parent, cst.Arg) and parent.keyword is None and not parent.star
        )

    def _item(self, node: cst.CSTNode) -> cst.Arg | cst.Element:
        parent = self.parent(node)
        if not self.is_item(node) or not isinstance(parent, (cst.Arg, cst.Element)):
            raise CannotEditError("It stands in no list of arguments or parts.")
        return parent

    def add_import(self, code: str) -> None:
        """Puts an import behind the last import at the top, unless the same stands there."""
        if code not in self._imports and code not in self.original.splitlines():
            self._imports.append(code)

    # ---- the outcome

    @property
    def source(self) -> str:
        """The script as edited."""
        edited = self._wrapper.module.visit(
            Writer(self._nodes, self._changes, self._before, self._after, self._removed)
        )
        assert isinstance(edited, cst.Module)
        return _with_imports(edited, self._imports).code

    @property
    def changed(self) -> bool:
        """Whether anything was edited."""
        return self.source != self.original


def _comma(now: Any) -> cst.Comma:
    """The comma of a part behind which another one was put on the same line."""
    plain = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    return now if isinstance(now, cst.Comma) and isinstance(now.whitespace_after, cst.SimpleWhitespace) else plain


def _last_comma(now: Any, last: Any) -> Any:
    """The comma of a part that has become the last: that of the last one, with its own comment."""
    space, end = getattr(now, "whitespace_after", None), getattr(last, "whitespace_after", None)
    if not isinstance(space, cst.ParenthesizedWhitespace) or space.first_line.comment is None:
        return last
    return (
        last.with_changes(whitespace_after=end.with_changes(first_line=space.first_line))
        if isinstance(end, cst.ParenthesizedWhitespace)
        else now
    )


def _without_comment(comma: Any) -> Any:
    """A comma at a line's end, without the comment behind it."""
    space = comma.whitespace_after
    return comma.with_changes(whitespace_after=space.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=[]))


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
