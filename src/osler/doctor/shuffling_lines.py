"""Shuffles and permutations on the ways of inputs and of targets: whether both are put into the same order."""

import ast

from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted

PERMUTING = {"permutation", "randperm", "sample", "shuffled", "permuted"}
REORDERING = {"sort", "argsort", "sorted", "roll", "flip", "flipud"}
MOVING = {"sort", "sorted", "roll", "flipud"}
LISTING = {"listdir", "glob", "iglob", "rglob", "scandir", "walk"}


def one_sided(inputs: list[Step], targets: list[Step]) -> Step | None:
    """The step that puts inputs, or targets, into a random order that the other does not share."""
    if not inputs or not targets:
        return None
    for mine, other in ((inputs, targets), (targets, inputs)):
        theirs = {id(s.node) for s in other}
        for step in mine:
            if id(step.node) in theirs or not step.line:
                continue
            if _shuffles_in_place(step) and not any(_same_seed_before(step, s) for s in other if _shuffles_in_place(s)):
                return step
    shared = {id(c) for s in inputs for c in _permutations(s)} & {id(c) for s in targets for c in _permutations(s)}
    for mine in (inputs, targets):
        for step in mine:
            if any(id(call) not in shared for call in _permutations(step)):
                return _used(mine, step)
    return _sorted_alone(inputs, targets) or _two_loaders(inputs, targets)


def _sorted_alone(inputs: list[Step], targets: list[Step]) -> Step | None:
    """Targets, but not inputs, are sorted or moved along."""
    theirs = {id(s.node) for s in inputs}
    for step in targets:
        names = {dotted(c.func).rpartition(".")[2] for c in step.calls}
        if id(step.node) not in theirs and names & MOVING and not isinstance(step.node, ast.Call):
            return step
    return None


def _two_loaders(inputs: list[Step], targets: list[Step]) -> Step | None:
    """Inputs and targets come from two loaders, each of which shuffles."""
    mine, theirs = ([(s, c) for s in steps for c in s.calls if _shuffling_loader(c)] for steps in (inputs, targets))
    both = {id(c) for _, c in mine} & {id(c) for _, c in theirs}
    alone = [s for s, c in mine if id(c) not in both]
    return alone[0] if alone and any(id(c) not in both for _, c in theirs) and not both else None


def _shuffling_loader(call: ast.Call) -> bool:
    wanted = next((k.value for k in call.keywords if k.arg == "shuffle"), None)
    return (
        dotted(call.func).rpartition(".")[2] == "DataLoader"
        and isinstance(wanted, ast.Constant)
        and wanted.value is True
    )


def reorders(step: Step) -> bool:
    """Whether a step may change the order of samples."""
    names = {dotted(c.func).rpartition(".")[2] for c in step.calls}
    return bool(names & (PERMUTING | REORDERING | LISTING | {"shuffle"}))


def _shuffles_in_place(step: Step) -> bool:
    return step.in_place and any(dotted(c.func).rpartition(".")[2] == "shuffle" for c in step.calls)


def _permutations(step: Step) -> list[ast.Call]:
    return [c for c in step.calls if dotted(c.func).rpartition(".")[2] in PERMUTING]


def _same_seed_before(step: Step, other: Step) -> bool:
    """Two shuffles of the same kind are in step where each follows a seed: left to the statistics."""
    return ast.unparse(step.node).split("(")[0] == ast.unparse(other.node).split("(")[0]


def _used(steps: list[Step], made: Step) -> Step:
    """The step that takes samples in the order of a permutation, rather than the one that draws it."""
    if not isinstance(made.node, ast.Assign) or not isinstance(made.node.targets[0], ast.Name):
        return made
    name = made.node.targets[0].id
    for step in steps:
        if step is not made and any(
            isinstance(n, ast.Subscript) and name in {m.id for m in ast.walk(n.slice) if isinstance(m, ast.Name)}
            for n in ast.walk(step.node)
        ):
            return step
    return made
