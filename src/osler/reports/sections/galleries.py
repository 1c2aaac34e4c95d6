"""Pictures of a run: a batch as the network sees it, the worst mistakes, the surest right answers."""

from collections.abc import Sequence

from osler.reports.content import Picture, ReportContent
from osler.reports.html import Html, element
from osler.reports.images import CRISP, thumbnail
from osler.reports.picture_grid import caption_lines, picture_grid
from osler.reports.sections.section import Drawing, Section, block

MOST = 24  # pictures of one gallery


def mistakes(content: ReportContent) -> Section | None:
    """The worst mistakes and the most confident answers."""
    wrong, sure = content.pictures.mistakes[:MOST], content.pictures.confident[: MOST // 2]
    if not wrong and not sure:
        return None
    numbers = content.subject.task == "regression"
    parts = [
        gallery("Furthest off" if numbers else "Worst mistakes", wrong),
        gallery("Nearest" if numbers else "Surest of all", sure),
    ]
    lede = (
        f"From the {content.pictures.split} pictures, worst first. Look for a wrong label, a picture that no one could "
        "tell, and whatever the mistakes have in common."
    )
    drawings = [
        Drawing(name, picture_grid(shown), title)
        for name, shown, title in (("mistakes", wrong, "Worst mistakes"), ("confident", sure, "Most confident answers"))
        if shown
    ]
    return Section("mistakes", "What it gets wrong", lede, block(*parts), drawings)


def batch(content: ReportContent) -> Section | None:
    """A batch after augmentation, with its labels."""
    shown = content.pictures.batch[:MOST]
    if not shown:
        return None
    lede = (
        "Pictures of a training batch after cropping and random changes, with their labels. If you cannot tell what "
        "they show, neither can the network."
    )
    drawings = [Drawing("batch", picture_grid(shown), "A batch as the network sees it")]
    return Section("batch", "What it was shown", lede, grid(shown), drawings)


def gallery(title: str, pictures: Sequence[Picture]) -> Html | None:
    """Pictures under a heading; nothing where there are none."""
    return element("div", element("h3", title), grid(pictures)) if pictures else None


def grid(pictures: Sequence[Picture]) -> Html:
    """Pictures in rows."""
    return element("div", *(picture_html(p) for p in pictures), class_="gallery")


def picture_html(picture: Picture) -> Html:
    """One picture with its caption; small ones keep their pixels."""
    address, width, height = thumbnail(picture.image)
    crisp = "crisp" if max(picture.image.shape[:2]) <= CRISP else None
    image = element(
        "img", src=address, alt=", ".join(caption_lines(picture)) or "picture", width=width, height=height, class_=crisp
    )
    return element("figure", image, element("figcaption", *words(picture)))


def words(picture: Picture) -> list[Html]:
    """The caption's lines: the answer stands out, the rest is quieter."""
    first, *rest = caption_lines(picture)
    loud = "said" if picture.predicted else None
    return [element("span", first, class_=loud), *(element("span", line, class_="quiet") for line in rest)]
