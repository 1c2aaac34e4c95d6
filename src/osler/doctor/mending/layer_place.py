"""Where in its class a layer is made, where it is called or would be, and the edits that put it to use."""

import ast

from osler.doctor.case import Case
from osler.doctor.mending.class_edit import Function, class_around, method
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted

ACTIVATIONS = (
    "relu",
    "gelu",
    "silu",
    "tanh",
    "sigmoid",
    "elu",
    "selu",
    "leaky_relu",
    "mish",
    "hardswish",
    "softplus",
    "relu_",
)
NORMS = (
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "LayerNorm",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "PReLU",
)
LISTS = ("ModuleList",)


class LayerPlace:
    """A layer that an assignment of a constructor makes."""

    def __init__(self, case: Case, made: ast.Assign) -> None:
        self.case, self.made = case, made
        self.attribute = dotted(made.targets[0])
        holder = class_around(case, made.lineno)
        self.holder = holder
        self.init = method(holder, "__init__") if holder is not None else None
        self.methods = [
            f for f in (holder.body if holder is not None else [])
            if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) and f.name != "__init__"
        ]  # fmt: skip

    @property
    def forward(self) -> Function:
        """The method that runs in a pass.

        Raises:
            CannotEditError: the class has none.
        """
        found = [f for f in self.methods if f.name == "forward"] or self.methods[:1]
        if not found:
            raise CannotEditError("The class has no forward.")
        return found[0]

    def calls(self, attribute: str) -> list[ast.Call]:
        """The calls of an attribute in methods, in the order of lines."""
        found = [
            n for f in self.methods for n in ast.walk(f)
            if isinstance(n, ast.Call) and dotted(n.func).removesuffix("[]") == attribute and n.args
        ]  # fmt: skip
        return sorted(found, key=lambda c: (c.lineno, c.col_offset))

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that holds a node."""
        found = [
            n for f in self.methods for n in ast.walk(f)
            if isinstance(n, (ast.Assign, ast.Return, ast.Expr, ast.AugAssign)) and any(x is node for x in ast.walk(n))
        ]  # fmt: skip
        if not found:
            raise CannotEditError("The call stands in no plain statement.")
        return found[-1]

    # ---- its output is dropped

    def pass_on(self, edit: ScriptEdit) -> None:
        """`self.b(x)` becomes `x = self.b(x)`; `g = self.b(x)`, where nothing reads `g`, becomes `x = self.b(x)` too.

        Raises:
            CannotEditError: its output is read.
        """
        for call in self.calls(self.attribute):
            given, statement = dotted(call.args[0]), self.statement(call)
            if isinstance(statement, ast.Expr) and statement.value is call and given:
                edit.replace_statement(statement.lineno, f"{given} = {edit.code(edit.at(call))}")
                return
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                continue
            target = statement.targets[0].id
            double = None if self._read_after(statement, target) else self._doubled(statement)
            if double is not None:
                edit.replace(edit.at(double), target)
                return
            reader = self._overwriting(statement, target)
            if reader is not None:
                edit.replace(edit.at(reader), target)
                return
            if given.isidentifier() and not self._read_after(statement, target):
                edit.replace(edit.at(statement.targets[0]), given)
                return
        raise CannotEditError("What the layer puts out is read.")

    def _read_after(self, statement: ast.stmt, name: str) -> bool:
        return any(
            isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) and n.lineno > statement.lineno
            for n in ast.walk(self.forward)
        )

    def _doubled(self, statement: ast.stmt) -> ast.expr | None:
        """The second of two equal names that are joined or added behind a statement."""
        for node in ast.walk(self.forward):
            parts = (
                node.elts if isinstance(node, (ast.List, ast.Tuple))
                else [node.left, node.right] if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) else []
            )  # fmt: skip
            names = [dotted(p) for p in parts]
            if len(parts) > 1 and parts[0].lineno > statement.lineno and names[0] and names[-1] in names[:-1]:
                return parts[-1]
        return None

    def _overwriting(self, statement: ast.Assign, target: str) -> ast.expr | None:
        """What the next statement gives a layer, where it gives the same name another value without reading it."""
        for later in sorted((n for n in ast.walk(self.forward) if isinstance(n, ast.Assign)), key=lambda n: n.lineno):
            if later.lineno <= statement.lineno:
                continue
            names = [n for n in ast.walk(later.value) if isinstance(n, ast.Name) and n.id != "self"]
            if any(n.id == target for n in names):
                return None
            if dotted(later.targets[0]) == target:
                calls = [
                    n
                    for n in ast.walk(later.value)
                    if isinstance(n, ast.Call) and dotted(n.func).startswith("self.") and n.args
                ]
                return calls[-1].args[0] if calls and isinstance(calls[-1].args[0], ast.Name) else None
        return None

    # ---- it is not called

    def whole_list(self, edit: ScriptEdit) -> None:
        """`self.layers[:-1]` becomes `self.layers`, and `range(2)` over its places `range(len(self.layers))`.

        Raises:
            CannotEditError: all of the list is used.
        """
        for function in self.methods:
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Subscript)
                    and dotted(node.value) == self.attribute
                    and isinstance(node.slice, ast.Slice)
                ):
                    edit.replace(edit.at(node), self.attribute)
                    return
                if isinstance(node, ast.For) and _counts(node) and any(
                    isinstance(n, ast.Subscript) and dotted(n.value) == self.attribute for n in ast.walk(node)
                ):  # fmt: skip
                    edit.replace(edit.at(node.iter), f"range(len({self.attribute}))")
                    return
        raise CannotEditError("All of the list is used.")

    def second_call(self, edit: ScriptEdit) -> None:
        """`self.a(...)`, which is called twice, becomes `self.b(...)` the second time, where both are of one kind.

        Raises:
            CannotEditError: no such layer is called twice.
        """
        if self.calls(self.attribute):
            raise CannotEditError("The layer is called.")
        for other in self.order():
            calls = self.calls(other)
            if (
                len(calls) == 2
                and self._kind(other) == self._kind(self.attribute)
                and isinstance(calls[1].func, ast.Attribute)
            ):
                later = self.order().index(other) < self.order().index(self.attribute)
                edit.replace(edit.at(calls[1 if later else 0].func), self.attribute)
                return
        raise CannotEditError("No layer like it is called twice.")

    def order(self) -> list[str]:
        """The attributes that the constructor gives layers, in the order of lines."""
        found = [n for n in ast.walk(self.init) if isinstance(n, ast.Assign)] if self.init is not None else []
        kept = [n for n in found if dotted(n.targets[0]).startswith("self.") and isinstance(n.value, ast.Call)]
        return [dotted(n.targets[0]) for n in sorted(kept, key=lambda n: (n.lineno, n.col_offset))]

    def _kind(self, attribute: str) -> str:
        made = (
            [n for n in ast.walk(self.init) if isinstance(n, ast.Assign) and dotted(n.targets[0]) == attribute]
            if self.init
            else []
        )
        return dotted(made[0].value.func) if made and isinstance(made[0].value, ast.Call) else ""

    def call(self, edit: ScriptEdit) -> None:
        """Calls the layer after the one that the constructor makes before it, with the same activation.

        Raises:
            CannotEditError: it is called, or it is not seen where it belongs.
        """
        order = self.order()
        if self.calls(self.attribute) or self.attribute not in order or self._kind(self.attribute).endswith(LISTS):
            raise CannotEditError("The layer is called, or is a list of layers.")
        place = order.index(self.attribute)
        before = next((a for a in reversed(order[:place]) if self.calls(a)), None)
        after = next((a for a in order[place + 1 :] if self.calls(a)), None)
        if before is not None:
            self._after(edit, self.calls(before)[-1], last=after is None)
        elif after is not None:
            given = self.calls(after)[0].args[0]
            edit.wrap(edit.at(given), f"{self.attribute}({{}})")
        else:
            raise CannotEditError("No layer beside it is called.")

    def _after(self, edit: ScriptEdit, call: ast.Call, *, last: bool) -> None:
        statement = self.statement(call)
        if self._kind(self.attribute).endswith(NORMS):
            edit.wrap(edit.at(call), f"{self.attribute}({{}})")
            return
        outer, form = self._activated(statement, call)
        form = "{}" if last or self._kind(self.attribute).endswith("Sequential") else form
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Name) and getattr(statement, "value", None) is outer:
            edit.insert_after(
                statement.lineno, f"{target.id} = {form.replace('{}', f'{self.attribute}({target.id})', 1)}"
            )
        else:
            edit.wrap(edit.at(outer), form.replace("{}", f"{self.attribute}({{}})", 1))

    def _activated(self, statement: ast.stmt, call: ast.Call) -> tuple[ast.expr, str]:
        """A call with the activation around it, and that activation as a form with `{}` for what it is given."""
        for outer in ast.walk(statement):
            if not isinstance(outer, ast.Call):
                continue
            name = dotted(outer.func).rpartition(".")[2] or getattr(outer.func, "attr", "")
            if (
                outer.args
                and outer.args[0] is call
                and (name in ACTIVATIONS or self._kind(dotted(outer.func)).rpartition(".")[2].lower() in ACTIVATIONS)
            ):
                rest = "".join(f", {ast.unparse(a)}" for a in [*outer.args[1:], *outer.keywords])
                return outer, f"{ast.unparse(outer.func)}({{}}{rest})"
            if isinstance(outer.func, ast.Attribute) and outer.func.value is call and name in ACTIVATIONS:
                return outer, f"{{}}.{name}()"
        return call, "{}"

    # ---- it goes

    def remove(self, edit: ScriptEdit) -> None:
        """Takes the layer out of the constructor, and the statements that call it for nothing.

        Raises:
            CannotEditError: it is read elsewhere.
        """
        reads = [
            n for n in ast.walk(self.case.script.tree)
            if isinstance(n, ast.Attribute) and n.attr == self.attribute.partition(".")[2] and isinstance(n.ctx, ast.Load)
        ]  # fmt: skip
        if reads:
            raise CannotEditError("The layer is read.")
        edit.remove_statement(self.made.lineno)


def _counts(loop: ast.For) -> bool:
    return isinstance(loop.iter, ast.Call) and dotted(loop.iter.func) == "range" and len(loop.iter.args) == 1
