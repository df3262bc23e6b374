"""``docs/risk.md``: every limit with its default, its codes and an example, from the limits themselves.

Write it and its Chinese twin anew with ``python -m engine.control.risk_page``; a test holds the pages equal.
"""

import inspect
import re
import sys
import textwrap
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from engine.control.limit_samples import BASE_ORDER, DENIED, SETTINGS
from engine.control.limit_words import LIMIT_WORDS
from engine.risk.limit import Limit
from engine.risk.profiles import PROFILES
from engine.risk.rules import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "risk.md"
PAGE_CHINESE = PAGE.parent / "zh" / "risk.md"

SHOWN: dict[str, tuple[str, str, str]] = {
    "kill": ("1", "KILLED", "trading halted: account:ht is at level HALT (message_rate: ...)"),
    "not_ready": ("2", "NOT_READY", "not ready: the account is not reconciled yet"),
    "environment": ("3", "ENV", "account hk trades real money, and the run was not started with --arm"),
    "supported": ("4", "UNSUPPORTED", "easyths takes no stop orders"),
    "allowed_sides": ("4", "UNSUPPORTED", "side buy is not allowed (allowed: sell)"),
    "well_formed": ("5-7", "MALFORMED, DUP_ID, INSTRUMENT", "quantity 0 is not above 0"),
    "allowed_markets": ("7", "INSTRUMENT", "market us is not allowed (allowed: china_a)"),
    "allowed_symbols": ("7", "INSTRUMENT", "symbol 000001.SZ is not allowed (allowed: 600000.SH)"),
    "restricted": ("7", "INSTRUMENT", "symbol 600000.SH can not be traded today: suspended"),
    "hours": ("8", "SESSION", "outside trading hours: 09:29:59 Asia/Shanghai, window 09:30-14:50"),
    "session_end": ("8", "SESSION", "too late: the market pauses or closes within 60s"),
    "exchange_rate": ("-", "NO_RATE", "no rate from USD to HKD"),
    "market_rules": ("8-11", "SESSION, LOT, MAX_QTY, PRICE_RULE", "quantity 150 is no multiple of 100"),
    "gateway_limits": ("-", "GATEWAY_...", "order value 951600.00 > 400000.00"),
    "max_order_quantity": ("10", "MAX_QTY", "order quantity exceeded: 20000 (cap 10000)"),
    "price_cage": ("11", "PRICE_RULE, STALE_DATA", "price cage exceeded: 10.31 is above 10.30 (base 10.1)"),
    "sane_price": ("12", "STALE_DATA", "price jumped: 10.51 is more than 5% from the median 10.0"),
    "price_collar": ("12, 13", "STALE_DATA, COLLAR", "reference price too old: 4.2s (cap 3s)"),
    "max_order_value": ("14", "MAX_NOTIONAL, STALE_DATA", "order value exceeded: 120000 (cap 100000)"),
    "locked": ("-", "LOCKED", "buying 600000.SH is locked: instruction s-i1 is under way or stands"),
    "duplicate_order": ("15", "DUPLICATE", "duplicate order: the same was sent 0.86s ago (window 3s)"),
    "orders_per_second": ("16", "RATE", "rate limit exceeded: 5 orders in the last 1s (cap 5)"),
    "orders_per_minute": ("16", "RATE", "rate limit exceeded: 60 orders in the last 60s (cap 60)"),
    "symbol_orders_per_minute": ("16", "RATE", "rate limit exceeded: 10 orders in the last 60s (cap 10)"),
    "venue_orders_per_minute": ("16", "RATE", "rate limit exceeded: 24 orders in the last 60s (futu takes 24)"),
    "orders_per_day": ("16", "RATE", "rate limit exceeded: 2000 orders today (cap 2000)"),
    "repeated_fills": ("17", "REPEAT", "repeated execution: 30 fills in the last 10m (cap 30)"),
    "open_orders": ("18", "OPEN", "open orders exceeded: 1 to buy 600000.SH (cap 1)"),
    "max_open_value": ("18", "OPEN, STALE_DATA", "open value exceeded: 310000 with this order (cap 300000)"),
    "self_match": ("19", "SELF_MATCH", "self-match: an open order of our own is selling 600000.SH at 10"),
    "sellable": ("20", "SELLABLE", "sellable quantity exceeded: 100 (sellable 0)"),
    "cash": ("21", "CASH, STALE_DATA", "cash exceeded: worst-case cost 1007.01 (available 900)"),
    "max_position": ("22", "POSITION, STALE_DATA", "position value exceeded: 210000 of 600000.SH (cap 200000)"),
    "concentration": ("22", "POSITION, STALE_DATA", "concentration exceeded: 210000 of 600000.SH (cap 20% of 1000000)"),
    "gross_exposure": ("22", "POSITION, STALE_DATA", "gross exposure exceeded: 1010000 (cap 100% of 1000000)"),
    "strategy_loss": ("23", "LOSS, STALE_DATA", "day loss exceeded: s lost 10200 (cap 1% of 1000000); reduce only"),
    "account_loss": (
        "23",
        "LOSS, STALE_DATA",
        "day loss exceeded: account ht lost 210 (cap 2% of 10000); reduce only",
    ),
    "max_daily_value": (
        "24",
        "TURNOVER, STALE_DATA",
        "daily value exceeded: 2100 today with this order (cap 2000)",
    ),
    "max_daily_turnover": (
        "24",
        "TURNOVER, STALE_DATA",
        "daily turnover exceeded: 2100 today (cap 200% of 1000)",
    ),
    "message_rate": ("25", "BEHAVIOUR", "orders and cancels exceeded: 10 in the last second (stop 10)"),
    "quick_cancels": ("25", "BEHAVIOUR", "quick cancels exceeded: 30 cancels within 1s today (...)"),
    "volume_share": ("25", "BEHAVIOUR", "volume share exceeded: 101 of 1000 in the last minute (cap 10%)"),
    "one_sided_value": ("25", "BEHAVIOUR, STALE_DATA", "one-sided value exceeded: 5000000 in a minute (stop 5000000)"),
    "opposite_trades": ("25", "BEHAVIOUR", "opposite trades exceeded: 1 between our own orders today (stop 1)"),
}
"""Limit -> its row in the list of checks, the codes it denies with, and the words of a denial."""

HEAD = """# Limits 风控

Written by `python -m engine.control.risk_page` from the limits themselves. [中文](zh/risk.md)

Every order is shown to these limits in this order before it is journaled and sent; the first that says no denies it,
and `OrderDenied` carries its code and words. What is not known denies. No limit and no latch refuses a cancel. All
counters are rebuilt from the journal after a restart; latches are raised by the engine and lowered by people alone.
每笔委托按此顺序逐条检查，首个拒绝即生效；数据缺失即拒绝；撤单永不被拒；重启后计数由日志重建；熔断只能由人解除。

* `live` and `paper` have every limit below with its default; `live` also needs `allowed_symbols` and
  `[risk.environment] accounts`. `backtest` and `replay` have those marked B, and what the config names.
* A config changes a setting under `[risk.<limit>]`; a limit can not be switched off, and `null` is refused.
* `scope` says whom a limit counts for: `strategy`, `account`, `symbol` (of an account) or `engine`.
* Orders that only reduce the account's position skip `strategy_loss`, `account_loss`, `max_daily_value` and
  `max_daily_turnover`.
* Limits marked W also watch what has happened: they tell a person (an alert) at `warn`, and raise a latch at `stop`:
  `strategy_loss` REDUCE on the strategy, `account_loss` REDUCE and then CANCEL on the account, the others HALT on the
  account. 240 a second and 16 000 a day can not be configured above.
* Before all of them, in live and paper runs: what a strategy orders because of a bar of the past is denied with the
  code `HISTORY`, and the reason names the bar ([what a strategy hears after a restart](daemon.md#after-a-restart)).
* `python run.py check order ...` shows one order to all of them, with figures and with what it would change; see
  [asking](#ask-what-if).

| # | limit | asks | settings and defaults | codes | a denial reads |
|---|---|---|---|---|---|
"""


ASKING = f"""
## Ask what if

One order, a made-up account, every limit with its figures; nothing is sent. Exit code 1: one says no. `--config`
takes limits, markets and instruments of a config, `--risk-set limit.key=value` changes one, `--profile`, `--cash`,
`--position`, `--mark`, `--previous-close` and `--at` make the situation. Counters (rates, values of the day) start
empty, and the account is taken for reconciled; so limits that count show their figures here and deny only in a run.

```sh
{BASE_ORDER}
```

`order OPTIONS` below is that order with other options; one that is said twice counts the second time. In a run `run.py
status` shows the latches, and a strategy hears a denial in `on_order`, as `OrderDenied` with `code` and `reason`.

## One by one

The text is that of the limit's own source; rows are those of RELIABILITY 4.1.
"""


def page() -> str:
    """The whole page, in English."""
    table = "".join(_row(name, rule) for name, rule in RULES.items())
    return HEAD + table + ASKING + "".join(_section(name, rule) for name, rule in RULES.items())


def page_chinese() -> str:
    """The whole page, in Chinese; a text of its own for each limit, figures from the limit."""
    words = tomllib.loads(files("engine.control").joinpath("limit_chinese.toml").read_text(encoding="utf-8"))
    sections = [_section_chinese(name, rule, words["limit"][name]) for name, rule in RULES.items()]
    return str(words["head"]).lstrip().replace("@ORDER@", BASE_ORDER) + "".join(sections)


def _row(name: str, rule: type[Limit]) -> str:
    number, codes, example = SHOWN[name]
    english, chinese = LIMIT_WORDS[name]
    marks = "".join([" B" if name in PROFILES["backtest"] else "", " W" if rule.monitors else ""])
    named = "" if name in PROFILES["live"] else ", only where named"
    return (
        f"| {number} | [`{name}`](#{name}){marks} | {english} {chinese}{named} | {_defaults(rule)} | {_codes(codes)} |"
        f" {example} |\n"
    )


def _codes(codes: str) -> str:
    return ", ".join(f"`{code}`" for code in codes.split(", "))


def _section(name: str, rule: type[Limit]) -> str:
    number, codes, example = SHOWN[name]
    row = "" if number == "-" else f"Row {number}. "
    lines = [
        f"- {row}In force: {_profiles(name)}. Code: {_codes(codes)}.{_watching(rule)}",
        f"- Defaults: {_defaults(rule)}.{_differing(name)}",
        f"- A denial reads: {example}",
    ]
    text = _wrapped(f"{_first_sentence(rule)} {_said(rule)}")
    return f"\n### {name}\n\n{text}\n\n" + "\n".join(lines) + "\n" + _sample(name) + _question(name)


def _section_chinese(name: str, rule: type[Limit], words: str) -> str:
    number, codes, example = SHOWN[name]
    row = "" if number == "-" else f"（RELIABILITY 4.1 第 {number} 行）"
    defaults = _defaults(rule) if msgspec.structs.fields(rule) else "无设置项"
    watching = "同时事后监控。" if rule.monitors else ""
    lines = [
        f"- 生效：{_profiles(name, '、', '仅在配置中写明时')}。代码：{_codes(codes)}。{watching}",
        f"- 默认值：{defaults}。{_differing(name)}",
        f"- 拒绝原因示例：{example}",
    ]
    text = f"**{LIMIT_WORDS[name][1]}**{row}。{words}"
    return f"\n### {name}\n\n{text}\n\n" + "\n".join(lines) + "\n" + _sample(name) + _question(name)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def _first_sentence(rule: type[Limit]) -> str:
    """What the limit's file says it is, without where the rule comes from, which the page has."""
    said = (inspect.getdoc(sys.modules[rule.__module__]) or "").partition("\n\n")[0]
    said = re.sub(r" \((?:RELIABILITY|DESIGN|issue)[^)]*\)", "", " ".join(said.split()))
    return said if said.endswith(".") else f"{said}."


def _said(rule: type[Limit]) -> str:
    """What its class says, as Markdown, without a sentence that the page says in a better place."""
    said = " ".join((inspect.getdoc(rule) or "").split()).replace("``", "`")
    return re.sub(r" \(contracts/[^)]*\)", "", said)


def _profiles(name: str, comma: str = ", ", named: str = "only where a config names it") -> str:
    there = [f"`{profile}`" for profile in PROFILES if name in PROFILES[profile]]
    return comma.join(there) or named


def _watching(rule: type[Limit]) -> str:
    return " It also watches what has happened." if rule.monitors else ""


def _differing(name: str) -> str:
    """Profiles whose defaults are not the limit's own."""
    differ = [(profile, rules[name]) for profile, rules in PROFILES.items() if rules.get(name)]
    return "".join(
        f" `{profile}`: {', '.join(f'`{k}` {_plain(v)}' for k, v in own.items())}." for profile, own in differ
    )


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sample(name: str) -> str:
    return f"\n```toml\n[risk.{name}]\n{SETTINGS[name]}\n```\n" if name in SETTINGS else ""


def _question(name: str) -> str:
    return f"\n<!-- long, exit 1 -->\n```sh\norder {DENIED[name]}\n```\n" if name in DENIED else ""


def _defaults(rule: type[Limit]) -> str:
    said = [f"`{field.name}` {_default(field)}" for field in msgspec.structs.fields(rule)]
    return ", ".join(said) or "none"


def _default(field: Any) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return "none listed"
    if field.default is msgspec.NODEFAULT:
        return "must be given"
    if field.default is msgspec.UNSET:
        return "unset"
    if isinstance(field.default, frozenset):
        return "none listed"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PAGE_CHINESE.write_text(page_chinese(), encoding="utf-8")
