"""The report of a detector: what it says of objects, errors and confusions, and its pictures."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import report_content as contents
from page_reader import PageReader

from osler.metrics.detection_errors import KINDS, detection_errors
from osler.reports.content import Picture, Pictures
from osler.reports.error_costs import error_costs_figure
from osler.reports.measures import spell, write_value
from osler.reports.page import write_report
from osler.reports.picture_grid import picture_grid
from osler.reports.sections.detections import found_of
from osler.tasks.task import Outcome


@pytest.fixture(scope="module")
def read(pages: dict[str, Path]) -> PageReader:
    return PageReader(pages["detection"].read_text(encoding="utf-8"))


def words(read: PageReader) -> str:
    return " ".join(read.text.split())


def test_the_headline_counts_objects(read: PageReader) -> None:
    content = contents.detection()
    outcome = content.result.outcomes["validation"]
    objects = sum(len(t.counted) for t in outcome.targets)
    found, of = found_of(content, "validation").split(" objects found")[0].split(" of ")
    assert int(of) == objects
    assert 0 < int(found) < objects
    assert f"{found} of {of} objects found, and" in words(read)
    assert "at a score of 0.5 or more" in words(read)
    assert "AP on 30 validation pictures" in words(read)


def test_every_section_of_a_detector_is_there_in_words(read: PageReader) -> None:
    text = words(read)
    for said in (
        "Class by class",
        "Why it is wrong",
        "What is taken for what",
        "At every score",
        "Full lines are what was",
    ):
        assert said in text
    for said in ("AP at IoU 0.5", "AP of small objects", "AR with 10 detections", "VOC 2007's AP at IoU 0.5"):
        assert said in text
    assert "seen in no picture 0 –" in text
    assert text.count("background") >= 4
    labels = [a["aria-label"] or "" for a in read.all("svg")]
    assert any("What each kind of error costs" in label for label in labels)


def test_its_figures_are_kept_as_files(pages: dict[str, Path]) -> None:
    written = {f.stem for f in (pages["detection"].parent / "figures").glob("*.png")}
    assert {"error_costs", "confusion", "precision_recall", "mistakes", "confident", "batch"} <= written


def test_masks_have_their_numbers_and_their_column(pages: dict[str, Path]) -> None:
    text = words(PageReader(pages["detection_of_many"].read_text(encoding="utf-8")))
    assert "Mask AP" in text
    assert "Mask AP at IoU 0.75" in text


def test_bars_are_as_long_as_the_costs_and_the_costliest_is_on_top() -> None:
    outcome = contents.objects_found(12)
    errors = detection_errors(outcome.predictions, outcome.targets, 3)
    axes = error_costs_figure(errors).axes[0]
    lengths = [bar.get_width() for bar in axes.patches]
    names = [label.get_text().lower() for label in axes.get_yticklabels()]
    assert sorted(names) == sorted(KINDS)
    assert lengths == pytest.approx([100 * errors.costs[name] for name in names])  # type: ignore[index]
    assert lengths == sorted(lengths, reverse=True)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_pictures_without_any_object_make_a_page(tmp_path: Path) -> None:
    content = contents.detection()
    outcome = contents.objects_found(9)
    last = Outcome(np.arange(1), outcome.predictions[-1:], outcome.targets[-1:])  # none there, one found
    result = replace(content.result, metrics={"validation": {"ap": 0.0}}, outcomes={"validation": last})
    text = words(PageReader(write_report(replace(content, result=result), tmp_path).read_text(encoding="utf-8")))
    assert "There is no object to find" in text
    assert "At every score" not in text


def test_one_threshold_counts_everywhere(tmp_path: Path) -> None:
    content = contents.detection()
    strict = replace(content, subject=replace(content.subject, threshold=(0.9,) * 4))
    assert "at a score of 0.9 or more" in found_of(strict, "validation")
    assert int(found_of(strict, "validation").split()[0]) < int(found_of(content, "validation").split()[0])


def test_a_grid_leaves_room_for_captions_only_where_there_are_any() -> None:
    plain = [Picture(contents.picture(i, 64)) for i in range(6)]
    told = [Picture(contents.picture(i, 64), caption="a.jpg\n1 missed") for i in range(6)]
    one = [Picture(contents.picture(i, 64), caption="a.jpg") for i in range(6)]
    heights = [picture_grid(p, columns=3).get_figheight() for p in (plain, one, told)]
    assert heights[0] == pytest.approx(2 * 1.4)
    assert heights[0] < heights[1] < heights[2]
    texts = [t.get_text() for t in picture_grid(told).axes[0].texts]
    assert texts[0] == "a.jpg\n1 missed"


def test_a_picture_without_words_has_no_caption_in_the_page(tmp_path: Path) -> None:
    content = replace(contents.hardly_anything(), pictures=Pictures([Picture(contents.picture(0))]))
    read = PageReader(write_report(content, tmp_path).read_text(encoding="utf-8"))
    assert not read.all("figcaption")
    assert read.all("img")[0]["alt"] == "picture"


def test_drawn_pictures_are_shown_larger_than_others(tmp_path: Path) -> None:
    big = [Picture(contents.picture(0, 600), caption="x")]
    widths = {}
    for name, content in (("detection", contents.detection()), ("ten", contents.classification(contents.DIGITS))):
        page = write_report(replace(content, pictures=Pictures(mistakes=big)), tmp_path / name)
        widths[name] = int(PageReader(page.read_text(encoding="utf-8")).all("img")[0]["width"] or 0)
        assert cv2.imread(str(tmp_path / name / "figures" / "mistakes.png")) is not None
    assert widths["detection"] > widths["ten"]


@pytest.mark.parametrize(
    ("metric", "name", "value"),
    [
        ("ap", "AP", "41.2\u202f%"),
        ("ap50", "AP at IoU 0.5", "41.2\u202f%"),
        ("mask_ap", "mask AP", "41.2\u202f%"),
        ("mask_ar_large", "mask AR of large objects", "41.2\u202f%"),
        ("ar1", "AR with 1 detection", "41.2\u202f%"),
        ("voc07_ap50", "VOC 2007's AP at IoU 0.5", "41.2\u202f%"),
        ("apples", "apples", "0.412"),
    ],
)
def test_cocos_numbers_are_called_in_words_and_read_as_shares(metric: str, name: str, value: str) -> None:
    assert (spell(metric), write_value(metric, 0.412)) == (name, value)
