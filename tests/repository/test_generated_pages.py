"""Pages that commands write are as those commands would write them now."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_networks_is_up_to_date() -> None:
    found = importlib.util.spec_from_file_location("networks_page", ROOT / "tools" / "networks_page.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    written = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    assert written == module.page(), "run make docs"
