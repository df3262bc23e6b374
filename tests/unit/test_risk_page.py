"""docs/risk.md lists every limit with its default, as the code has it."""

import shlex

import msgspec
import pytest

from engine.control.limit_samples import BASE_ORDER, DENIED, SETTINGS
from engine.control.risk_page import PAGE, PAGE_CHINESE, SHOWN, page, page_chinese
from engine.risk import RULES
from tests.cli_builders import Said, Shell


def test_the_page_is_what_the_limits_say() -> None:
    """docs/risk.md is what the command writes; if not: ``python -m engine.control.risk_page``."""
    assert PAGE.read_text(encoding="utf-8") == page()
    assert PAGE_CHINESE.read_text(encoding="utf-8") == page_chinese()


def test_every_limit_has_a_section_of_its_own() -> None:
    """Two languages; a sample for each limit that has settings, and questions about limits there are."""
    for text in (page(), page_chinese()):
        assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == list(RULES)
    assert set(SETTINGS) == {name for name, rule in RULES.items() if msgspec.structs.fields(rule)}
    assert set(DENIED) <= set(RULES)


def test_every_limit_is_on_the_page_with_its_settings() -> None:
    """In the order they are asked; rows of the specification rise with it."""
    assert list(SHOWN) == list(RULES)
    rows = {line.split("`")[1]: line for line in page().splitlines() if line.startswith("| ") and "`" in line}
    assert list(rows) == list(RULES)
    for name, rule in RULES.items():
        assert all(f"`{field.name}`" in rows[name] for field in msgspec.structs.fields(rule)), name
    numbers = [int(number.split("-")[0].split(",")[0]) for number, _, _ in SHOWN.values() if number != "-"]
    assert [n for n in numbers if n not in (4, 8)] == sorted(n for n in numbers if n not in (4, 8))
    assert numbers[0] == 1
    assert numbers[-1] == 25


def _order(capsys: pytest.CaptureFixture[str], options: str) -> Said:
    command = BASE_ORDER[BASE_ORDER.index("check") : BASE_ORDER.index('"$@"')].replace("\\\n", " ")
    return Shell(capsys)(*shlex.split(f"{command} {options} --json"))


def test_the_order_of_the_page_is_denied_by_none(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a section shows its own limit."""
    assert _order(capsys, "").code == 0


@pytest.mark.parametrize("name", DENIED)
def test_the_order_of_a_section_is_denied_by_its_limit(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the page says."""
    said = _order(capsys, DENIED[name])
    assert said.code == 1
    assert name in [check["check"] for check in said.json["checks"] if not check["passed"]]  # type: ignore[index]
