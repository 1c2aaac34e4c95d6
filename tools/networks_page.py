"""Writes docs/networks.md from the headers of the networks' files: part of `make docs`."""

from pathlib import Path

import torch

from osler.models.history import as_table, timeline
from osler.models.plan_rules import RULES, judge_known, judge_model
from osler.models.registry import (
    create_model,
    family,
    input_size,
    list_detectors,
    list_models,
    minimum_size,
    model_options,
)

PAGE = Path(__file__).resolve().parent.parent / "docs" / "networks.md"


def page() -> str:
    """A table of all networks: size, options, and where they come from."""
    lines = [
        "# Networks",
        "",
        "Written by `make docs`. Parameters for 10 classes and pictures in colour; the smallest side in pixels.",
        "",
        "| network | parameters | smallest | options | source |",
        "| --- | ---: | ---: | --- | --- |",
    ]
    lines += [row(name, minimum_size(name), num_classes=10) for name in list_models()]
    return "\n".join([*lines, "", *detectors(), "", *history(), "", *grammar()]) + "\n"


def row(name: str, side: int, num_classes: int) -> str:
    """A network's parameters, a size of pictures, its options, and the header of its file."""
    with torch.device("meta"):  # no weights are made
        parameters = sum(p.numel() for p in create_model(name, num_classes=num_classes).parameters())
    options = ", ".join(f"`{key}={value!r}`" for key, value in model_options(name).items()).replace("|", "\\|")
    header = (getattr(family(name), "__doc__", None) or "").split("\n\n")[0].replace("\n", " ")
    return f"| {name} | {parameters:,} | {side} | {options} | {header} |"


def detectors() -> list[str]:
    """A table of the detectors."""
    return [
        "## Detectors",
        "",
        "Parameters for 20 classes; the side in pixels of the pictures for which each is made. What they are built of, and how",
        "well they find things: [Detection](detection.md). `backbone` is the name of any network above, or a choice of",
        "`name`, `weights`, `frozen_norms`, `options`; None is the detector's own.",
        "",
        "| detector | parameters | pictures | options | source |",
        "| --- | ---: | ---: | --- | --- |",
        *(row(name, input_size(name), num_classes=20) for name in list_detectors()),
    ]


def history() -> list[str]:
    """The field's networks by year."""
    return [
        "## History",
        "",
        "Parameters and multiply-adds (convolutions and linear layers) of our networks at the published size. Top-1 is as",
        "published, of one network and one view: on ImageNet, of `resnet164_preact` on CIFAR-10. Auxiliary classifiers are",
        "among the parameters of GoogLeNet and Inception v3.",
        "",
        *as_table(timeline()),
    ]


def grammar() -> list[str]:
    """Which networks are of the plain grammar, and what they do against its rules of thumb."""
    lines = [
        "## Plain networks and the rules of thumb",
        "",
        "`input -> (conv+ pool?)+ -> fully connected+`, read from the networks themselves (`osler.models.plan_rules`).",
        f"The rules: {'; '.join(RULES)}.",
        "",
        "| network | grammar | rules broken | plan |",
        "| --- | --- | --- | --- |",
    ]
    judged = {"lenet5": judge_model(create_model("lenet5", num_classes=10, in_channels=1), channels=1)}
    judged |= judge_known(milestone.name for milestone in timeline() if milestone.name not in judged)
    for name, judgement in judged.items():
        broken = "; ".join(f"{rule} ({what})" for rule, what in judgement.broken.items())
        plan = f"`{judgement.plan}`".replace("|", "\\|") if judgement.plan else ""
        lines.append(f"| {name} | {'match' if judgement.matches else 'no match'} | {broken} | {plan} |")
    return lines


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: docs/{PAGE.name}")
