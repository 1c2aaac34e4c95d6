"""The report in a real browser: no message, no exception, no request beyond the page, whatever the reader's theme."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import report_content as contents
from devtools import Browser, find_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip(
            "No Chromium here (chromium, chromium-browser, google-chrome): the report is not opened in a browser."
        )
    with Browser(path) as started:
        yield started


@pytest.mark.parametrize("case", contents.CASES)
def test_report_opens_without_a_message_and_asks_nothing_of_a_network(
    browser: Browser, pages: dict[str, Path], case: str
) -> None:
    page = pages[case]
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    visit, unseen = browser.open(page, script=broken)
    assert (visit.messages, visit.exceptions, visit.outside) == ([], [], [])
    assert visit.requests[0] == page.resolve().as_uri(), "the page itself was not seen to be asked for"
    assert unseen == 0, "a picture of the page cannot be shown"


def test_report_never_scrolls_sideways(browser: Browser, pages: dict[str, Path]) -> None:
    beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for width in (360, 768, 1280):
        for case, page in pages.items():
            assert browser.open(page, width=width, script=beyond)[1] <= 0, f"{case} at {width} pixels"


def test_figures_follow_the_readers_light_or_dark_theme(browser: Browser, pages: dict[str, Path]) -> None:
    page = pages["regression"]
    colours = (
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('svg text')).fill]"
    )
    light, dark = (browser.open(page, dark=dark, script=colours)[1] for dark in (False, True))
    assert light[0] == "rgb(255, 255, 255)"
    assert all(brightness(a) > brightness(b) + 200 for a, b in ((light[0], light[1]), (dark[1], dark[0])))


def brightness(colour: str) -> int:
    """Red, green and blue of a CSS colour "rgb(r, g, b)" together, 0 to 765."""
    return sum(int(v) for v in colour[4:-1].split(","))


PLANTED = {
    "console error": ("<script>console.error('planted')</script>", "messages", "planted"),
    "exception": ("<script>setUp(</script>", "exceptions", "SyntaxError"),
    "outside picture": ("<img src='http://127.0.0.1:9/planted.png'>", "outside", "http://127.0.0.1:9/planted.png"),
    "outside style": (
        "<style>@import 'http://127.0.0.1:9/planted.css';</style>",
        "outside",
        "http://127.0.0.1:9/planted.css",
    ),
    "outside font": (
        "<style>@font-face{font-family:f;src:url(http://127.0.0.1:9/f.woff2)} p{font-family:f}</style><p>x</p>",
        "outside",
        "http://127.0.0.1:9/f.woff2",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_seen(browser: Browser, tmp_path: Path, fault: str) -> None:
    markup, where, said = PLANTED[fault]
    page = tmp_path / "planted.html"
    page.write_text(f"<!doctype html><title>planted</title><body>{markup}</body>", encoding="utf-8")
    visit, _ = browser.open(page)
    assert any(said in entry for entry in getattr(visit, where))


def test_the_page_forbids_itself_what_is_smuggled_in(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "smuggled.html"
    smuggled = "<script>document.title='run'</script><img src='http://127.0.0.1:9/planted.png'></body>"
    page.write_text(pages["regression"].read_text(encoding="utf-8").replace("</body>", smuggled), encoding="utf-8")
    visit, title = browser.open(page, script="document.title")
    assert title != "run"
    assert len(visit.messages) >= 2
    assert all("Content Security Policy" in m for m in visit.messages)
