"""Rows of the order and fill lists as the core reads them, with the ids it knows their orders by."""

from collections.abc import Iterable

from engine.domain.account import FillRow, OrderRow
from engine.domain.errors import BadMessage
from engine.gateways.futu import orders
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.lives import Lives


def order_rows(rows: Iterable[t.Order], lives: Lives) -> tuple[OrderRow, ...]:
    """A stranger's order in parts of a share is left out: it must not hide ours.

    Raises:
        BadMessage: a row of ours with quantities that are none.
    """
    found = []
    for row in rows:
        venue_id = lives.venue_id_of(row.order_id, row.order_id_ex)
        try:
            one = orders.order_row_from_wire(row, lives.evidence_of(row), venue_id)
        except BadMessage:
            if row.remark:
                raise
            continue
        if one is not None:
            found.append(one)
    return tuple(found)


def fill_rows(fills: Iterable[t.OrderFill], lives: Lives) -> tuple[FillRow, ...]:
    rows = (
        orders.fill_row_from_wire(fill, lives.venue_id_of(fill.order_id or "", fill.order_id_ex or ""))
        for fill in fills
    )
    return tuple(row for row in rows if row is not None)
