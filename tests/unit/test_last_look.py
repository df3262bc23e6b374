"""The last look at a request: it must say what the intent says."""

import json
from typing import Any

import pytest

from engine.domain.commands import OrderType
from engine.runtime.last_look import difference
from tests.risk_builders import a_limit_order, an_order

BODY: dict[str, Any] = {"c2s": {"code": "600000", "qty": 100.0, "price": 10.5, "remark": "o-1"}}


def body(**changes: Any) -> bytes:
    return json.dumps({"c2s": {**BODY["c2s"], **changes}}).encode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"code": "SH600000", "qty": "100", "price": "10.50"}, ""),
        ({"code": "600001"}, "the request does not name 600000"),
        ({"qty": 101}, "the request does not say the quantity 100"),
        ({"qty": True}, "the request does not say the quantity 100"),
        ({"price": 10.49}, "the request does not say the price 10.5"),
        ({"price": None}, "the request does not say the price 10.5"),
    ],
)
def test_code_quantity_and_price_are_looked_for(changes: dict[str, Any], words: str) -> None:
    """As numbers, however they are written."""
    assert difference([a_limit_order("10.5")], body(**changes)) == words


def test_what_says_nothing_is_not_asked() -> None:
    """A market order has no price, an order that the venue sizes no quantity, a liquidation no body."""
    assert difference([an_order()], body(price=0.0)) == ""
    assert difference([an_order(type=OrderType.SELL_ALL)], b'{"stock_identifier": "600000"}') == ""
    assert difference([an_order(type=OrderType.LIQUIDATE)], b"") == ""
    assert difference([an_order()], b"not json").startswith("the request is no JSON")
