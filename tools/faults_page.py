"""Writes docs/faults.md, every fault that the doctor tells, from the checks themselves: `make docs`."""

from pathlib import Path

from osler.doctor.explaining import all_pages

PAGE = Path(__file__).resolve().parent.parent / "docs" / "faults.md"


def page() -> str:
    """The whole page."""
    return all_pages()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: docs/{PAGE.name}")
