"""The one subscription connection all REST callers share (contracts/futu.md 1.10, 4.1, 8)."""

from typing import Any

from engine.domain.timestamps import MINUTE_NS
from engine.simulators.futu.codes import SUB_TYPES
from engine.simulators.futu.envelope import NOT_READY, NOT_SUBSCRIBED, QUOTA, TOO_EARLY, Failed
from engine.simulators.futu.securities import Security

SYMBOLS_MAX = 100


class Subscriptions:
    """What is subscribed since when, and what is registered for push.

    Args:
        quota: units, one for each security and sub type. ready_ns: until data of a fresh subscription is there.
    """

    def __init__(self, quota: int, ready_ns: int) -> None:
        self.quota = quota
        self._ready_ns = ready_ns
        self.since: dict[tuple[str, int], int] = {}
        self.pushed: dict[tuple[str, int], list[int]] = {}
        """(security, sub type) -> rehab types; [0] for all but k-lines."""
        self.accounts: list[int] = []
        """Whose order and fill pushes were asked for."""
        self._securities: dict[str, Security] = {}

    @property
    def used(self) -> int:
        return len(self.since)

    def change(self, securities: list[Security], body: dict[str, Any], now_ns: int) -> list[tuple[Security, int, int]]:
        """Subscribe, unsubscribe, register or withdraw push; all or nothing.

        Returns:
            (security, sub type, rehab type) that cached data is to be pushed for once.

        Raises:
            Failed: nothing was changed.
        """
        if body.get("is_unsub_all"):
            raise Failed("Qot_Sub: is_unsub_all is refused, the REST connection is shared")
        subs = body.get("sub_type_list", [])
        if not securities or not subs:
            raise Failed("Qot_Sub: empty security_list or sub_type_list")
        if len(securities) > SYMBOLS_MAX:
            raise Failed(f"Qot_Sub: at most {SYMBOLS_MAX} securities a request")
        bad = [sub for sub in subs if sub not in SUB_TYPES]
        if bad:
            raise Failed(f"Qot_Sub: unknown sub_type {bad[0]}")
        pairs = [(security, sub) for security in securities for sub in dict.fromkeys(subs)]
        if not body["is_sub_or_un_sub"]:
            self._drop(pairs, now_ns)
            return []
        fresh = {(security.key, sub) for security, sub in pairs} - self.since.keys()
        if self.used + len(fresh) > self.quota:
            raise Failed(f"Qot_Sub: {QUOTA}")
        for security, sub in pairs:
            self.since.setdefault((security.key, sub), now_ns)
            self._securities[security.key] = security
        return self._register(pairs, body)

    def check(self, security: Security | None, key: str, sub: int, now_ns: int) -> None:
        """Raises:
        Failed: not subscribed, or data is not there yet.
        """
        since = self.since.get((key, sub))
        if since is None or security is None:
            raise Failed(NOT_SUBSCRIBED.format(key))
        if now_ns - since < self._ready_ns:
            raise Failed(NOT_READY)

    def listing(self) -> list[dict[str, Any]]:
        """``sub_info_list``: sub type -> its securities, in the order they came."""
        found: dict[int, list[dict[str, object]]] = {}
        for key, sub in self.since:
            found.setdefault(sub, []).append(self._securities[key].row())
        return [{"sub_type": sub, "security_list": rows} for sub, rows in found.items()]

    def _drop(self, pairs: list[tuple[Security, int]], now_ns: int) -> None:
        for security, sub in pairs:
            since = self.since.get((security.key, sub))
            if since is not None and now_ns - since < MINUTE_NS:
                raise Failed(f"Qot_Sub: {TOO_EARLY}")
        for security, sub in pairs:
            self.since.pop((security.key, sub), None)
            self.pushed.pop((security.key, sub), None)

    def _register(self, pairs: list[tuple[Security, int]], body: dict[str, Any]) -> list[tuple[Security, int, int]]:
        wanted = body.get("is_reg_or_un_reg_push")
        if wanted is None:
            return []
        first: list[tuple[Security, int, int]] = []
        rehabs = body.get("reg_push_rehab_type_list") or [1]
        for security, sub in pairs:
            if not wanted:
                self.pushed.pop((security.key, sub), None)
                continue
            kinds = rehabs if sub not in {1, 2, 4, 5, 14, 22} else [0]
            known = self.pushed.setdefault((security.key, sub), [])
            known += [kind for kind in kinds if kind not in known]
            first += [(security, sub, kind) for kind in kinds]
        return first if body.get("is_first_push", True) else []
