"""docs/reference is what the source says."""

import msgspec
import pytest

import engine
from engine.control.reference_pages import FOLDER, GROUPS, PAGES, config_page
from engine.control.source_words import members
from engine.gateways import GATEWAYS
from engine.runtime.settings import Document
from engine.simulators import SIMULATORS


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_are_what_the_source_says(name: str) -> None:
    """If not: ``python -m engine.control.reference_pages`` writes them anew."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_public_name_is_in_a_group() -> None:
    """Once."""
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(engine.__all__)


def test_every_public_method_of_a_strategy_has_words() -> None:
    """A name that nobody explains is not for strategies."""
    assert [member.name for member in members(engine.Strategy) if member.kind == "method" and not member.doc] == []


@pytest.mark.parametrize("name", [name for name in GATEWAYS if name != "ht"])
def test_a_gateway_page_has_every_setting(name: str) -> None:
    """But for those that every gateway has from its table's name and its account, and one for tests."""
    page = (FOLDER.parent / f"{name.replace('_', '-')}.md").read_text(encoding="utf-8")
    fields = [field.name for field in msgspec.structs.fields(GATEWAYS[name])]
    assert [field for field in fields if f"`{field}`" not in page and field not in {"name", "account", "user"}] == []


def test_every_table_of_a_config_has_a_place() -> None:
    """Those whose keys are structs here; the others have pages of their own, which are named."""
    page = config_page()
    assert all(f"[simulator.{name}]" in page for name in SIMULATORS)
    for table in Document.__struct_fields__:
        assert f"[{table}]" in page or f"[{table}." in page, table
