"""A Bayesian search whose study is on a PostgreSQL server."""

from pathlib import Path
from typing import Any

import pytest

from engine.runtime.optimize.bayes import Bayes
from tests.journal_builders import address_for
from tests.optimize_builders import a_search

psycopg = pytest.importorskip("psycopg", reason="no PostgreSQL driver: pip install 'psycopg[binary]'")
pytest.importorskip("optuna", reason="optuna is not installed: pip install 'sluice[optimize]'")


def asked(search: Bayes, count: int, first: int = 0) -> list[dict[str, Any]]:
    """So many sets, each told what a hill is worth there."""
    found = []
    for number in range(first, first + count):
        one = search.ask()
        assert one is not None
        search.tell(number, -((one["fast"] - 7) ** 2) - (one["slow"] - 20) ** 2)
        found.append(one)
    return found


def test_a_study_on_a_server_goes_on_where_it_was(tmp_path: Path) -> None:
    """Twelve sets, then the study opened anew: they come again first, and the rest are those of one in memory."""
    address = address_for(tmp_path)
    with psycopg.connect(address.url, autocommit=True) as db:
        db.execute(f"CREATE SCHEMA {address.schema}")
    storage = f"{address.url}?options=-csearch_path%3D{address.schema}"
    space = a_search(tmp_path, ranges=("fast=2:12:1", "slow=8:40:1")).space
    made = {"study": "hill", "about": "a hill"}
    expected = asked(Bayes(space, 20, 3, storage="", **made), 20)
    assert asked(Bayes(space, 20, 3, storage=storage, **made), 12) == expected[:12]
    again = Bayes(space, 20, 3, storage=storage, **made)
    assert asked(again, 20) == expected
    assert again.ask() is None
