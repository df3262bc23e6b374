"""``/metrics`` in Prometheus text 0.0.4 (contracts/futu.md 7.3)."""

from engine.simulators.futu.venue import FutuVenue


def metrics_text(venue: FutuVenue) -> str:
    lines = ["# TYPE futu_auth_events_total counter"]
    for (outcome, key), count in sorted(venue.auth.items()):
        lines.append(f'futu_auth_events_total{{iface="rest",outcome="{outcome}",key_id="{key}"}} {count}')
    lines.append("# TYPE futu_auth_limit_rejects_total counter")
    for (reason, key), count in sorted(venue.rejects.items()):
        lines.append(f'futu_auth_limit_rejects_total{{iface="rest",key_id="{key}",reason="{reason}"}} {count}')
    lines.append("# TYPE futu_ws_filtered_pushes_total counter")
    for (scope, key), count in sorted(venue.pusher.filtered.items()):
        lines.append(f'futu_ws_filtered_pushes_total{{required_scope="{scope}",key_id="{key}"}} {count}')
    return "\n".join(lines) + "\n"
