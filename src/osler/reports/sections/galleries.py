"""Pictures of a run: a batch as the network sees it, the worst mistakes, the surest right answers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from osler.reports.content import Picture, ReportContent
from osler.reports.html import Html, element
from osler.reports.images import CRISP, THUMBNAIL, thumbnail
from osler.reports.picture_grid import caption_lines, picture_grid
from osler.reports.sections.section import Drawing, Section, block

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 24  # pictures of one gallery
DRAWN = 400  # pixels of a picture with objects drawn on it, which is shown larger


def mistakes(content: ReportContent) -> Section | None:
    """The worst mistakes and the most confident answers."""
    wrong, sure = content.pictures.mistakes[:MOST], content.pictures.confident[: MOST // 2]
    if not wrong and not sure:
        return None
    numbers, drawn = content.subject.task == "regression", content.subject.task == "detection"
    parts = [
        gallery("Furthest off" if numbers else "Worst mistakes", wrong, drawn),
        gallery("Nearest" if numbers else "Surest of all", sure, drawn),
    ]
    look = (
        "Full lines are what was found, dashed ones what is there. Look for objects that were annotated wrongly or not at "
        "all, and whatever the mistakes have in common."
        if drawn
        else "Look for a wrong label, a picture that no one could tell, and whatever the mistakes have in common."
    )
    lede = f"From the {content.pictures.split} pictures, worst first. {look}"
    drawings = [
        Drawing(name, figure_of(shown, drawn), title)
        for name, shown, title in (("mistakes", wrong, "Worst mistakes"), ("confident", sure, "Most confident answers"))
        if shown
    ]
    return Section("mistakes", "What it gets wrong", lede, block(*parts), drawings)


def batch(content: ReportContent) -> Section | None:
    """A batch after augmentation, with its labels."""
    shown = content.pictures.batch[:MOST]
    if not shown:
        return None
    objects = content.subject.task == "detection"
    what = "objects" if objects else "labels"
    lede = (
        f"Pictures of a training batch after cropping and random changes, with their {what}. If you cannot tell what "
        "they show, neither can the network."
    )
    drawings = [Drawing("batch", figure_of(shown, objects), "A batch as the network sees it")]
    return Section("batch", "What it was shown", lede, grid(shown, objects), drawings)


def figure_of(pictures: Sequence[Picture], drawn: bool) -> "Figure":
    """The pictures as a figure for a file; those with something drawn on them larger."""
    return picture_grid(pictures, columns=3, inches=2.8) if drawn else picture_grid(pictures)


def gallery(title: str, pictures: Sequence[Picture], drawn: bool) -> Html | None:
    """Pictures under a heading; nothing where there are none."""
    return element("div", element("h3", title), grid(pictures, drawn)) if pictures else None


def grid(pictures: Sequence[Picture], drawn: bool) -> Html:
    """Pictures in rows; those with something drawn on them larger."""
    side = DRAWN if drawn else THUMBNAIL
    return element("div", *(picture_html(p, side) for p in pictures), class_="gallery drawn" if drawn else "gallery")


def picture_html(picture: Picture, side: int) -> Html:
    """One picture with its caption, `side` pixels at most; small ones keep their pixels."""
    address, width, height = thumbnail(picture.image, side)
    crisp = "crisp" if max(picture.image.shape[:2]) <= CRISP else None
    image = element(
        "img", src=address, alt=", ".join(caption_lines(picture)) or "picture", width=width, height=height, class_=crisp
    )
    said = words(picture)
    return element("figure", image, element("figcaption", *said) if said else None)


def words(picture: Picture) -> list[Html]:
    """The caption's lines: the answer stands out, the rest is quieter."""
    lines = caption_lines(picture)
    if not lines:
        return []
    first, *rest = lines
    loud = "said" if picture.predicted else None
    return [element("span", first, class_=loud), *(element("span", line, class_="quiet") for line in rest)]
