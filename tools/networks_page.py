"""Writes docs/networks.md from the headers of the networks' files: part of `make docs`."""

from pathlib import Path

import torch

from osler.models.registry import create_model, family, list_models, minimum_size, model_options

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
    for name in list_models():
        with torch.device("meta"):  # no weights are made
            parameters = sum(p.numel() for p in create_model(name, num_classes=10).parameters())
        options = ", ".join(f"`{key}={value!r}`" for key, value in model_options(name).items())
        header = (getattr(family(name), "__doc__", None) or "").split("\n\n")[0].replace("\n", " ")
        lines.append(f"| {name} | {parameters:,} | {minimum_size(name)} | {options} | {header} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: docs/{PAGE.name}")
