"""The parts of a page: a Section with its heading, and a Drawing, shown inline and kept as a file of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from osler.reports.html import Html, element, join
from osler.reports.images import svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with its words."""

    name: str  # of its file in figures/, and unique in the page
    figure: "Figure"
    title: str
    note: str = ""  # what it shows here, in a sentence
    kind: str = ""  # "cells": a matrix; "cells dense": one with small names

    def html(self) -> Html:
        """The figure inline, its title and sentence above it."""
        note = element("span", self.note) if self.note else None
        picture = svg(self.figure, self.name, f"{self.title}. {self.note}".strip(), cut=self.kind.startswith("cells"))
        style = None
        if self.kind.startswith("cells"):
            style = f"--width:{self.figure.get_figwidth() * 108:.0f}px"  # one and a half pixels a point, as in a pair
            picture = element("div", picture, class_="scroll", tabindex=0, role="region", aria_label=self.title)
        caption = element("figcaption", element("b", self.title), note)
        return element("figure", caption, picture, class_=f"drawing {self.kind}".strip(), style=style)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under a heading, with the figures in it and those that are files only."""

    anchor: str
    title: str
    lede: str  # what a newcomer should look for
    body: Html
    drawings: Sequence[Drawing] = ()

    def html(self) -> Html:
        """The section's markup."""
        aside = element(
            "div", element("h2", self.title, id=f"{self.anchor}-title"), element("p", self.lede), class_="aside"
        )
        body = element("div", self.body, class_="body")
        return element("section", aside, body, id=self.anchor, aria_labelledby=f"{self.anchor}-title")


def pair(*drawings: Drawing) -> Html:
    """Figures side by side where there is room."""
    return element("div", *(d.html() for d in drawings), class_="pair")


def block(*parts: Html | None) -> Html:
    """Parts below one another."""
    return join(*(p for p in parts if p))
