"""One indicator a file; each has one arithmetic, bar by bar (``update``) and by column (``column``)."""

from engine.indicators.adx import Adx
from engine.indicators.atr import Atr
from engine.indicators.bollinger import Bollinger
from engine.indicators.cci import Cci
from engine.indicators.correlation import Correlation
from engine.indicators.cross import Cross
from engine.indicators.donchian import Donchian
from engine.indicators.ema import Ema
from engine.indicators.highest import Highest
from engine.indicators.indicator import Indicator
from engine.indicators.kdj import Kdj
from engine.indicators.lag import Lag
from engine.indicators.lowest import Lowest
from engine.indicators.macd import Macd
from engine.indicators.obv import Obv
from engine.indicators.returns import Returns
from engine.indicators.rsi import Rsi
from engine.indicators.sma import Sma
from engine.indicators.stddev import Stddev
from engine.indicators.true_range import TrueRange
from engine.indicators.vwap import Vwap
from engine.indicators.wma import Wma
from engine.indicators.zscore import Zscore

__all__ = ["INDICATORS", "Indicator"]

INDICATORS: dict[str, type[Indicator]] = {
    "sma": Sma,
    "ema": Ema,
    "wma": Wma,
    "rsi": Rsi,
    "macd": Macd,
    "bollinger": Bollinger,
    "atr": Atr,
    "true_range": TrueRange,
    "adx": Adx,
    "kdj": Kdj,
    "cci": Cci,
    "obv": Obv,
    "vwap": Vwap,
    "donchian": Donchian,
    "highest": Highest,
    "lowest": Lowest,
    "returns": Returns,
    "lag": Lag,
    "stddev": Stddev,
    "zscore": Zscore,
    "correlation": Correlation,
    "cross": Cross,
}
"""Name, as a strategy writes it (``bars.close.sma(10)``) -> indicator."""
