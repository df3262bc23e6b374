"""The drawing of an order's life is the table's."""

from pathlib import Path

from engine.control.diagram import order_diagram, page, write
from engine.domain.order import TABLE, OrderState

PAGE = Path(__file__).parents[2] / "docs" / "order-states.md"


def test_the_page_is_up_to_date() -> None:
    """docs/order-states.md is what the command writes; if not: ``python -m engine.control.diagram``."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_state_and_every_named_move_is_drawn() -> None:
    """Each state is on the drawing, and each cell that names a next state has its arrow."""
    drawing = order_diagram()
    live = {"WORKING", "PARTIAL", "PENDING_CANCEL", "PENDING_REPLACE"}
    for state in OrderState:
        assert state.name in drawing
        source = "LIVE" if state.name in live else state.name
        for column, cell in TABLE[state].items():
            if cell.to is not None and cell.to is not state:
                arrow = next(
                    line for line in drawing.splitlines() if line.startswith(f"    {source} --> {cell.to.name}:")
                )
                assert column.value in arrow


def test_write_makes_the_page(tmp_path: Path) -> None:
    """The command writes the page where it is told to."""
    write(tmp_path / "docs" / "page.md")
    assert (tmp_path / "docs" / "page.md").read_text(encoding="utf-8") == page()
