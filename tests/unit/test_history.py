"""History: views of what has ended, never of what is to come, never a copy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import ConfigError
from engine.domain.timestamps import MINUTE_NS
from engine.history import History
from tests.builders import INDEX, START_NS, BarsOf, a_bar, flat_rows


class Now:
    ns = START_NS


def a_history(keep: int = 50) -> tuple[History, type[Now]]:
    now = type("Moment", (Now,), {})
    return History(lambda: now.ns, keep), now


def test_replay_hides_what_has_not_ended() -> None:
    """A batch is loaded ahead; a bar is seen from its end on."""
    history, now = a_history()
    for batch in BarsOf(flat_rows(*range(1, 21)), batch=8).batches():
        history.extend(batch)
    assert len(history.last(INDEX, 5)) == 0
    now.ns = START_NS + 3 * MINUTE_NS - 1
    assert history.last(INDEX, 5).close.tolist() == [1, 2]
    now.ns += 1
    assert history.last(INDEX, 2).close.tolist() == [2, 3]
    assert history.last(INDEX, 2, MINUTE_NS).ts_ns.tolist() == [START_NS + 2 * MINUTE_NS, now.ns]


def test_two_asks_share_one_memory_and_can_not_be_written() -> None:
    """Views, no copies a call; a strategy can not change the past."""
    history, now = a_history()
    history.extend(next(iter(BarsOf(flat_rows(1, 2, 3, 4)).batches())))
    now.ns = START_NS + 4 * MINUTE_NS
    one, two = history.last(INDEX, 4), history.last(INDEX, 2)
    for name in ("ts_ns", "open", "high", "low", "close", "volume"):
        assert np.shares_memory(getattr(one, name), getattr(two, name))
        with pytest.raises(ValueError, match="read-only"):
            getattr(one, name)[0] = 0


def test_appending_past_the_buffer_leaves_views_true() -> None:
    """Live: memory is bounded, and what was handed out never changes under the strategy."""
    history, now = a_history(keep=10)
    shown = []
    for i in range(1, 101):
        now.ns = START_NS + i * MINUTE_NS
        history.append(a_bar(close=float(i), ts_ns=now.ns))
        shown.append((i, history.last(INDEX, 10)))
    for i, bars in shown:
        assert bars.close.tolist() == [float(n) for n in range(max(1, i - 9), i + 1)]
    assert len(history._stores[INDEX, MINUTE_NS].ts) <= 20


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    asks=st.lists(st.tuples(st.integers(0, 11), st.integers(1, 40), st.integers(1, 10)), max_size=8),
)
def test_batches_are_shown_whole_whenever_somebody_asks(sizes: list[int], asks: list[tuple[int, int, int]]) -> None:
    """Within the latest batch, at any bar and after any number that nobody looked at: the last ``n``, all that were
    handed out stay true, and no more is held than is kept and the latest batches."""
    history, now = a_history(keep=10)
    count, shown = 0, []
    for number, size in enumerate(sizes):
        ends = [START_NS + (count + k + 1) * MINUTE_NS for k in range(size)]
        closes = [float(count + k + 1) for k in range(size)]
        history.extend(next(iter(BarsOf(flat_rows(*closes), ends=ends).batches())))
        for _, place, n in sorted(ask for ask in asks if ask[0] == number):
            seen = count + min(place, size)
            now.ns = START_NS + seen * MINUTE_NS
            shown.append((seen, n, history.last(INDEX, n)))
        count += size
    for seen, n, bars in shown:
        assert bars.close.tolist() == [float(k) for k in range(max(0, seen - n) + 1, seen + 1)]
    waiting = history._stores[INDEX, MINUTE_NS].waiting
    assert sum(len(batch.ts_ns) for batch in waiting[1:-1]) < 10


@pytest.mark.parametrize("n", [0, -1, 51])
def test_asking_for_more_than_is_kept_says_what_is_kept(n: int) -> None:
    """One sentence with the mend; an instrument never seen has no bars."""
    history, _ = a_history()
    with pytest.raises(ConfigError, match="ask for 1 to 50"):
        history.last(INDEX, n)
    assert len(history.last(INDEX, 50)) == 0
