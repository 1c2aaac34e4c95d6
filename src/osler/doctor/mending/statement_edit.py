"""Whole statements of a program taken out, or put where they belong."""

import ast

import libcst as cst

from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


def remove_call(edit: ScriptEdit, call: ast.expr) -> bool:
    """Takes a call that stands alone out, with the loops and conditions that hold nothing else; False where it is used."""
    node = edit.at(call)
    expression = edit.parent(node)
    if not isinstance(expression, cst.Expr):
        return False
    line = edit.parent(expression)
    if not isinstance(line, (cst.SimpleStatementLine, cst.SimpleStatementSuite)) or len(line.body) != 1:
        return False
    edit.remove_node(outermost_alone(edit, line))
    return True


def outermost_alone(edit: ScriptEdit, statement: cst.CSTNode) -> cst.CSTNode:
    """The outermost for, if or with that holds nothing but a statement; the statement itself where there is none."""
    for above in edit.above(statement):
        if isinstance(above, cst.SimpleStatementSuite) or (
            isinstance(above, cst.IndentedBlock) and len(above.body) == 1
        ):
            continue
        if not isinstance(above, (cst.For, cst.With, cst.If)) or getattr(above, "orelse", None) is not None:
            break
        if len(above.body.body) != 1:
            break
        statement = above
    if isinstance(statement, cst.SimpleStatementSuite):
        raise CannotEditError("The statement is all that its line's block holds.")
    return statement


def siblings(edit: ScriptEdit, statement: cst.CSTNode) -> list[Statement]:
    """The statements of the block in which a statement stands, itself included."""
    block = edit.parent(statement)
    body = block.body if isinstance(block, (cst.IndentedBlock, cst.Module)) else ()
    return [s for s in body if isinstance(s, (cst.SimpleStatementLine, cst.BaseCompoundStatement))]


def loops_around(edit: ScriptEdit, statement: cst.CSTNode) -> list[cst.For | cst.While]:
    """The loops of the same function around a statement, the innermost first."""
    found: list[cst.For | cst.While] = []
    for above in edit.above(statement):
        if isinstance(above, (cst.FunctionDef, cst.ClassDef)):
            break
        if isinstance(above, (cst.For, cst.While)):
            found.append(above)
    return found


def function_around(edit: ScriptEdit, node: cst.CSTNode) -> cst.FunctionDef | None:
    """The function that holds a node."""
    return next((above for above in edit.above(node) if isinstance(above, cst.FunctionDef)), None)
