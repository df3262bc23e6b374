"""The backend's frequency limits (contracts/futu.md 8): an excess is a 200 that says so, never a 429."""

from collections import Counter, defaultdict, deque
from typing import Any, NamedTuple

from engine.domain.timestamps import SECOND_NS
from engine.simulators.futu.envelope import Failed

WINDOW_NS = 30 * SECOND_NS
ORDER_TEXT = "下单频率太高，请求失败，每30秒最多15次"
MODIFY_TEXT = "改单撤单频率太高，请求失败，每30秒最多20次"
ORDER_GAP_TEXT = "下单频率太高，请求失败，两次下单至少间隔0.02秒"
MODIFY_GAP_TEXT = "改单撤单频率太高，请求失败，两次请求至少间隔0.04秒"
TEXT = "请求频率太高，请稍后再试"


class Pace(NamedTuple):
    """``calls`` in 30 s, ``gap_ns`` apart at least; ``refresh``: only calls with refresh_cache true count;
    ``first_page``: only calls without next_req_key; ``by_account``: else for the whole user."""

    calls: int
    by_account: bool = False
    gap_ns: int = 0
    refresh: bool = False
    first_page: bool = False
    text: str = TEXT
    gap_text: str = TEXT


_ACCOUNT = Pace(10, by_account=True)
_REFRESH = Pace(10, by_account=True, refresh=True)
PACES = {
    "/api/order": Pace(15, True, SECOND_NS // 50, text=ORDER_TEXT, gap_text=ORDER_GAP_TEXT),
    "/api/modify-order": Pace(20, True, SECOND_NS // 25, text=MODIFY_TEXT, gap_text=MODIFY_GAP_TEXT),
    "/api/unlock-trade": Pace(10),
    "/api/funds": _REFRESH,
    "/api/positions": _REFRESH,
    "/api/orders": _REFRESH,
    "/api/order-fills": _REFRESH,
    "/api/history-orders": _ACCOUNT,
    "/api/history-order-fills": _ACCOUNT,
    "/api/max-trd-qtys": _ACCOUNT,
    "/api/order-fee": _ACCOUNT,
    "/api/margin-ratio": _ACCOUNT,
    "/api/history-kline": Pace(60, first_page=True),
    "/api/snapshot": Pace(60),
    "/api/warrant": Pace(60),
    "/api/capital-flow": Pace(30),
    "/api/capital-distribution": Pace(30),
    "/api/future-info": Pace(30),
} | {
    f"/api/{name}": Pace(10)
    for name in (
        "market-state",
        "owner-plate",
        "plate-set",
        "plate-security",
        "option-chain",
        "reference",
        "stock-filter",
        "ipo-list",
        "user-security",
    )
}


class Pacing:
    """Sliding windows of accepted calls; ``refused`` counts the others by route."""

    def __init__(self, *, enforced: bool = True) -> None:
        self.enforced = enforced
        self.refused: Counter[str] = Counter()
        self._windows: defaultdict[tuple[str, int], deque[int]] = defaultdict(deque)

    def check(self, path: str, body: dict[str, Any], now_ns: int) -> None:
        """Count a call that reaches the backend.

        Raises:
            Failed: too many, or too close to the one before.
        """
        pace = PACES.get(path)
        if pace is None or not self.enforced:
            return
        if (pace.refresh and not body.get("refresh_cache")) or (pace.first_page and body.get("next_req_key")):
            return
        account = body["header"].get("acc_id", 0) if pace.by_account else 0
        window = self._windows[(path, account)]
        while window and now_ns - window[0] >= WINDOW_NS:
            window.popleft()
        if len(window) >= pace.calls:
            self.refused[path] += 1
            raise Failed(pace.text)
        if window and now_ns - window[-1] < pace.gap_ns:
            self.refused[path] += 1
            raise Failed(pace.gap_text)
        window.append(now_ns)
