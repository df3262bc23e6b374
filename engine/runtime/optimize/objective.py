"""What sets are ranked by."""

from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.runtime.optimize.jobs import Figures, Row
from engine.runtime.settings_reading import near

OBJECTIVES = {
    "sharpe": 1, "sortino": 1, "calmar": 1, "total_return": 1, "annual_return": 1, "profit_factor": 1, "win_rate": 1,
    "max_drawdown": -1, "annual_volatility": -1,
}  # fmt: skip
"""Field of ``Figures`` -> 1 where more is better, -1 where less is."""
ALIASES = {"return": "total_return", "drawdown": "max_drawdown", "volatility": "annual_volatility"}


class Objective(Struct, frozen=True, kw_only=True):
    name: str
    min_trades: int = 0
    """Sets with fewer round trips are not fit."""

    def shown(self, figures: Figures | None) -> float | None:
        """The figure itself."""
        found: float | None = getattr(figures, self.name) if figures is not None else None
        return found

    def worth(self, row: Row) -> float | None:
        """More is better; None: not fit, and why says ``unfit``."""
        shown = self.shown(row.figures)
        return None if shown is None or self.unfit(row) else OBJECTIVES[self.name] * shown

    def unfit(self, row: Row) -> str:
        """Why a set is not to be chosen; empty: it may be."""
        if row.problem:
            return row.problem
        if row.figures is None:
            return "no figures"
        if row.figures.round_trips < self.min_trades:
            return f"{row.figures.round_trips} round trips, fewer than {self.min_trades}"
        if self.shown(row.figures) is None:
            return f"no {self.name}: too little data, or no losses"
        return ""


def objective_of(name: str, min_trades: int, where: str = "--objective") -> Objective:
    """
    Raises:
        ConfigError: there is no such figure.
    """
    known = ALIASES.get(name, name)
    if known not in OBJECTIVES:
        raise ConfigError(f"{where} {name}: there is none of that name{near(name, OBJECTIVES)}")
    return Objective(name=known, min_trades=min_trades)
