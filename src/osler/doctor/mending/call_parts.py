"""Parts of a call: its name, and its arguments read, changed, added and taken out."""

import libcst as cst


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
