"""What instruments are, from the gateway's static data (contracts/futu.md 4.1, 11)."""

from collections.abc import Sequence

from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.money import exact
from engine.gateways.futu import codes
from engine.gateways.futu import quote_messages as q
from engine.gateways.futu import routes as r
from engine.gateways.futu import static_messages as s
from engine.gateways.futu.client import FutuClient
from engine.gateways.futu.feed import LIST_MAX, security_to_wire

KINDS = {
    1: InstrumentKind.BOND, 3: InstrumentKind.STOCK, 4: InstrumentKind.ETF, 6: InstrumentKind.INDEX,
    10: InstrumentKind.FUTURE,
}  # fmt: skip
"""SecurityType of the official protocol."""


async def instruments(client: FutuClient, names: Sequence[InstrumentId]) -> list[Instrument]:
    """Lot from static info, tick from the snapshot. What the gateway does not list, or no rule book of ours governs,
    is left out: unknown is not tradable.

    Raises:
        GatewayError: they could not be read.
    """
    found: list[Instrument] = []
    for first in range(0, len(names), LIST_MAX):
        wanted = [security_to_wire(name) for name in names[first : first + LIST_MAX]]
        listed = await client.ask(r.STATIC_INFO, s.StaticInfoAsk(security_list=wanted))
        shown = await client.ask(r.SNAPSHOT, q.SecuritiesAsk(security_list=wanted))
        spreads = {row.basic.security: row.basic.price_spread for row in shown.snapshot_list or []}
        for row in listed.static_info_list or []:
            one = _instrument(row.basic, spreads.get(row.basic.security))
            if one is not None:
                found.append(one)
    return found


def _instrument(row: s.StaticBasic, spread: float | None) -> Instrument | None:
    place = codes.BY_QUOTE_MARKET.get(row.security.market)
    kind = KINDS.get(row.sec_type or 0)
    if place is None or kind is None or not place.rules or row.delisting or not row.lot_size or not spread:
        return None
    return Instrument(
        id=codes.instrument_from_wire(place, row.security.code),
        kind=kind,
        market=place.rules,
        currency=place.currency,
        lot=row.lot_size,
        tick=exact(spread),
        name=row.name or "",
    )
