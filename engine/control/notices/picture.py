"""The equity curve of a day as a PNG, drawn without a browser."""

import io
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from engine.control.notices.notice import Picture
from engine.domain.timestamps import datetime_from_ns

WIDTH, HEIGHT = 800, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 34, 34
PAPER, INK, GRID = (255, 255, 255), (40, 40, 40), (225, 225, 225)
COLOURS = ((31, 87, 164), (196, 78, 32), (44, 124, 62), (122, 62, 148), (110, 110, 110))
POINTS = 2_000
"""Of one curve; more are thinned."""

Curve = Sequence[tuple[int, float]]
"""Moments, ns UTC, and worths, oldest first."""


def equity_picture(curves: Mapping[str, Curve], *, title: str, timezone: str) -> Picture | None:
    """Each account's worth as a percentage of what it was at first; None where there is nothing to draw.

    Args:
        curves: account -> its samples.
    """
    drawn = {name: _changes(_thinned(curve)) for name, curve in curves.items() if len(curve) >= 2 and curve[0][1]}
    if not drawn:
        return None
    moments = [at for curve in drawn.values() for at, _ in curve]
    values = [value for curve in drawn.values() for _, value in curve]
    first, last = min(moments), max(*moments, min(moments) + 1)
    low, high = min(*values, 0.0), max(*values, 0.0)
    spare = max((high - low) * 0.08, 0.01)
    low, high = low - spare, high + spare
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default()

    def place(at: int, value: float) -> tuple[float, float]:
        x = LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        return x, TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    pen.text((LEFT, 8), title.encode("ascii", "replace").decode(), fill=INK, font=font)
    for step in range(5):
        value = low + (high - low) * step / 4
        _, y = place(first, value)
        pen.line([(LEFT, y), (WIDTH - RIGHT, y)], fill=GRID)
        pen.text((6, y - 6), f"{value:+.2f}%", fill=INK, font=font)
        at = first + (last - first) * step // 4
        x, _ = place(at, low)
        pen.text((min(x - 14, WIDTH - 44), HEIGHT - 24), f"{datetime_from_ns(at, timezone):%H:%M}", fill=INK, font=font)
    pen.line([place(first, 0.0), place(last, 0.0)], fill=INK)
    for number, (name, curve) in enumerate(drawn.items()):
        colour = COLOURS[number % len(COLOURS)]
        pen.line([place(at, value) for at, value in curve], fill=colour, width=2)
        words = f"{name} {curve[-1][1]:+.2f}%".encode("ascii", "replace").decode()
        pen.text((WIDTH - 160, 8 + 12 * number), words, fill=colour, font=font)
    body = io.BytesIO()
    picture.save(body, "PNG", optimize=True)
    return Picture("equity.png", body.getvalue())


def _thinned(curve: Curve) -> Curve:
    step = -(-len(curve) // POINTS)
    kept = list(curve[::step])
    return kept if kept[-1] == curve[-1] else [*kept, curve[-1]]


def _changes(curve: Curve) -> list[tuple[int, float]]:
    begun = curve[0][1]
    return [(at, (worth / begun - 1) * 100) for at, worth in curve]
