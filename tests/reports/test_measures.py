"""Numbers as a person reads them."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.reports import html, measures
from osler.reports.html import Html, element, join
from osler.reports.measures import count, duration, number, percent, write_value


@given(st.floats(0, 1))
def test_only_all_is_called_100_per_cent_and_only_none_0(share: float) -> None:
    shown = percent(share)
    assert (float(shown.split("\u202f")[0]) == 100) == (share == 1)
    assert (float(shown.split("\u202f")[0]) == 0) == (share == 0)


@given(st.floats(0.001, 0.999))
def test_percent_is_near_the_share(share: float) -> None:
    assert float(percent(share).split("\u202f")[0]) == pytest.approx(100 * share, abs=0.0501)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e8, max_value=1e8))
def test_number_keeps_four_figures(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=1e-3, abs=1e-300)


def test_what_was_not_measured_is_a_dash() -> None:
    assert {number(float("nan")), percent(float("nan")), write_value("accuracy", float("inf"))} == {"–"}


def test_units_of_metrics() -> None:
    assert write_value("top5", 0.5) == "50.0\u202f%"
    assert write_value("rmse", 0.5) == "0.5"
    assert write_value("auc", 0.98765) == "0.9877"


def test_durations_and_counts() -> None:
    assert [duration(s) for s in (0.0004, 59.94, 60, 3600)] == ["0.4 ms", "59.9 s", "1 min 0 s", "1 h 0 min"]
    assert [count(n, "picture") for n in (0, 1, 1200)] == ["0 pictures", "1 picture", "1,200 pictures"]


@given(st.text())
def test_text_never_becomes_markup(text: str) -> None:
    markup = element("p", text, title=text)
    assert markup.count("<") == 2
    assert join(Html("<b>"), text).count("<") == 1


@pytest.mark.parametrize("module", [measures, html])
def test_examples_in_the_docs(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted > 0
    assert result.failed == 0
