"""The report: one page that needs nothing but itself, whatever it is filled with."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import report_content as contents
from page_reader import PageReader

from osler.data.source import Skipped
from osler.reports.content import Picture, Pictures, Remarks, ReportContent, Result, Subject
from osler.reports.measures import number
from osler.reports.page import write_report
from osler.structures.finding import Finding, Remedy, Where
from osler.tasks.task import Outcome
from osler.training.recipe import Origin


@pytest.fixture(scope="module", params=contents.CASES)
def written(request: pytest.FixtureRequest, pages: dict[str, Path]) -> tuple[str, Path, PageReader]:
    page = pages[request.param]
    return request.param, page, PageReader(page.read_text(encoding="utf-8"))


def test_page_is_well_formed(written: tuple[str, Path, PageReader]) -> None:
    _, _, read = written
    assert not read.unbalanced
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {a[1:] for a in read.addresses if a.startswith("#")}
    assert targets <= set(ids)


def test_page_needs_nothing_but_itself(written: tuple[str, Path, PageReader]) -> None:
    _, page, read = written
    assert [a for a in read.addresses if not a.startswith(("#", "data:"))] == []
    assert not read.all("script")
    policy = next(a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy
    assert "default-src 'none'" in policy
    assert page.stat().st_size < 2_000_000


def test_page_can_be_read_by_everyone(written: tuple[str, Path, PageReader]) -> None:
    _, _, read = written
    assert all(a.get("alt") for a in read.all("img"))
    figures = [a for a in read.all("svg") if a.get("role") == "img"]
    assert len(figures) == len(read.all("svg"))
    assert all(a.get("aria-label") for a in figures)
    assert len(read.all("caption")) == len(read.all("table"))
    levels = [int(tag[1]) for tag, _ in read.elements if tag in {"h1", "h2", "h3"}]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip([0, *levels], levels, strict=False))


def test_same_pictures_lie_in_the_folder(written: tuple[str, Path, PageReader]) -> None:
    case, page, read = written
    files = sorted((page.parent / "figures").glob("*"))
    assert all(f.suffix == ".png" for f in files)
    for file in files:
        picture = cv2.imread(str(file))
        assert picture is not None
        assert picture.std() > 1, f"{file.name} is blank"
    assert len(files) >= len(read.all("svg"))
    expected = {
        "ten": {
            "loss",
            "metric_accuracy",
            "learning_rate",
            "confusion",
            "calibration",
            "mistakes",
            "confident",
            "batch",
        },
        "multilabel": {"loss", "precision_recall", "roc", "calibration"},
        "regression": {"scatter", "residuals"},
        "two_numbers": {"scatter_0", "residuals_0", "scatter_1", "residuals_1"},
    }
    assert expected.get(case, set()) <= {f.stem for f in files}
    assert not list(page.parent.rglob("*.part"))


def test_headline_says_what_was_measured_on_what(tmp_path: Path) -> None:
    metrics = {"validation": {"accuracy": 0.91}, "test": {"accuracy": 0.8767}}
    content = ReportContent(
        Subject("classification", "resnet18", "clothes", contents.CLOTHES, {"train": 8500, "test": 1500}),
        Result("accuracy", metrics=metrics, best_epoch=17, checkpoint="checkpoints/best.safetensors"),
        contents.history(20, {"accuracy": 0.91}),
    )
    text = " ".join(PageReader(write_report(content, tmp_path).read_text(encoding="utf-8")).text.split())
    assert "resnet18 on clothes" in text
    assert "87.7 % Accuracy on 1,500 test pictures" in text
    assert "Best after epoch 17 of 20 by validation accuracy" in text
    assert "checkpoints/best.safetensors" in text


def test_details_are_of_validation_so_that_nobody_tunes_on_the_test_set(tmp_path: Path) -> None:
    outcomes = {"test": contents.class_outcome(10, 70), "validation": contents.class_outcome(10, 130)}
    content = ReportContent(
        Subject("classification", "net", "digits", contents.DIGITS), Result("accuracy", outcomes=outcomes)
    )
    text = PageReader(write_report(content, tmp_path).read_text(encoding="utf-8")).text
    assert "130 validation pictures; blank" in text


def test_without_held_out_pictures_the_page_says_so(tmp_path: Path) -> None:
    content = replace(contents.hardly_anything(), history=contents.history(3, {}, held_out=False))
    text = PageReader(write_report(content, tmp_path).read_text(encoding="utf-8")).text
    assert "no pictures were held out" in text
    assert "there were no validation pictures" in text
    assert "Confusion" not in text


def test_who_set_each_value_and_what_was_left_out(tmp_path: Path) -> None:
    remarks = Remarks(contents.NOTES, contents.SKIPPED)
    content = replace(contents.hardly_anything(), recipe=contents.RECIPE, remarks=remarks)
    text = PageReader(write_report(content, tmp_path).read_text(encoding="utf-8")).text.replace(" ", "")
    for said in ("You set", "Chosen by Osler, and why", "Given by the weights", "4 values left at the default"):
        assert said.replace(" ", "") in text
    assert text.index("Youset") < text.index("photos/clothes") < text.index("ChosenbyOsler") < text.index("train.lr")
    assert "fitsinmemorywithroomtospare" in text
    assert "00317.jpg" in text
    assert "15%ofthetrainingpictureswereheldout" in text


def test_accuracy_that_only_counts_the_frequent_class_is_called_so(tmp_path: Path) -> None:
    targets = np.array([0] * 95 + [1] * 5)
    outcome = Outcome(np.arange(100), np.tile(np.float32([0.9, 0.1]), (100, 1)), targets)
    result = Result("accuracy", metrics={"validation": {"accuracy": 0.95}}, outcomes={"validation": outcome})
    content = ReportContent(Subject("classification", "net", "scans", ("well", "ill")), result)
    text = PageReader(write_report(content, tmp_path).read_text(encoding="utf-8")).text
    assert "Balanced accuracy is 50.0%" in text


EVIL = '<script>alert("1")</script>'


def test_labels_with_markup_in_them_stay_text(tmp_path: Path) -> None:
    names = (EVIL, "a & b < c", "$x$ and $y$", "新しい", "quote \" and ' quote")
    content = contents.classification(names, samples=200)
    picture = Picture(contents.picture(0), true=EVIL, predicted='"><img src=x>', probability=0.5)
    content = replace(
        content,
        subject=replace(content.subject, model=EVIL, data="</title>"),
        pictures=Pictures([Picture(contents.picture(1), caption=EVIL)], [picture]),
        recipe=(("data.path", EVIL, Origin("person", EVIL)),),
        remarks=Remarks((EVIL,), (Skipped(EVIL, EVIL),)),
        environment={EVIL: EVIL},
        timing={EVIL: EVIL},
    )
    read = PageReader(write_report(content, tmp_path).read_text(encoding="utf-8"))
    assert not read.all("script")
    assert all((a["src"] or "").startswith("data:") for a in read.all("img"))
    assert not read.unbalanced
    assert read.text.count("<script>") > 10
    assert "$x$ and $y$" in read.text


def test_page_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = write_report(contents.hardly_anything(), tmp_path)
    before = page.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk is full"):
        write_report(replace(contents.hardly_anything(), history=contents.history(3, {})), tmp_path)
    assert page.read_bytes() == before
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and f != page]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    pages = [
        write_report(replace(contents.regression(samples=50), history=()), tmp_path / name).read_bytes()
        for name in "ab"
    ]
    assert pages[0] == pages[1]


def test_findings_stand_with_their_evidence_and_what_to_change(tmp_path: Path) -> None:
    dead = Finding("dying-relu", "warning", "layer 3 is silent in 60 % of its units", Where(layer="features.3"))
    hot = Finding(
        "learning-rate-too-high", "critical", "the loss rose to 40", remedies=(Remedy("lower", "lr=0.001"),)
    ).because_of(dead)
    content = replace(contents.hardly_anything(), findings=[hot])
    text = " ".join(PageReader(write_report(content, tmp_path).read_text(encoding="utf-8")).text.split())
    assert "1 finding that harms a training" in text
    assert "the loss rose to 40; this explains dying-relu" in text
    assert "lr=0.001" in text
    plain = PageReader(write_report(contents.hardly_anything(), tmp_path).read_text(encoding="utf-8")).text
    assert "doctor" not in plain


def test_a_loss_in_parts_is_drawn_part_by_part(tmp_path: Path) -> None:
    content = contents.detection()
    first, last = (sum(v for k, v in content.history[at].items() if k.startswith("train.")) for at in (0, -1))
    text = " ".join(PageReader(write_report(content, tmp_path).read_text(encoding="utf-8")).text.split())
    assert f"Together {number(first)} in the first epoch, {number(last)} in the last" in text
    assert (tmp_path / "figures" / "loss.png").exists()
