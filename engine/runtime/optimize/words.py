"""What the figures of overfitting mean, in a sentence each, English and Chinese."""

from msgspec import Struct

from engine.runtime.optimize.optimizing import Outcome
from engine.runtime.optimize.overfitting import Overfitting
from engine.runtime.optimize.ranking import RankedSet, Ranking
from engine.runtime.optimize.walk_forward import Stitched

BELIEVED, DOUBTFUL = 0.95, 0.5
"""Of the deflated Sharpe ratio; the first is the bar of its paper."""


class Said(Struct, frozen=True):
    en: str
    zh: str


def sentences(outcome: Outcome) -> list[Said]:
    """As many as there is something to say about."""
    best = outcome.ranking.best
    said = [_none_fit() if best is None else _deflated(outcome.ranking, best)]
    said.append(_overfitting(outcome.ranking.overfitting))
    if outcome.walk is not None and outcome.walk.stitched is not None:
        said.append(_walk(outcome.walk.stitched))
    return said


def _none_fit() -> Said:
    return Said("No set is fit: see the reason beside each.", "没有合适的参数组：原因见表中每一行。")


def _deflated(ranking: Ranking, best: RankedSet) -> Said:
    if best.deflated_sharpe is None or ranking.luck is None:
        return Said(
            "Deflated Sharpe ratio: there are too few days with a return to say anything.",
            "紧缩夏普比率：有收益的天数太少，无法判断。",
        )
    share, luck = f"{best.deflated_sharpe:.1%}", f"{ranking.luck:.2f}"
    verdict = _verdict(best.deflated_sharpe)
    return Said(
        en=f"Deflated Sharpe ratio {share}: without any skill, the best of {ranking.tried} sets would show an annual "
        f"Sharpe ratio of {luck} by luck; this is the probability that the best set's true one is above that. "
        f"{verdict.en}",
        zh=f"紧缩夏普比率 {share}：试 {ranking.tried} 组毫无能力的参数，最好的一组凭运气也会有年化夏普 {luck}；"
        f"这里给出最佳参数组的真实夏普高于它的概率。{verdict.zh}",
    )


def _verdict(share: float) -> Said:
    if share >= BELIEVED:
        return Said("That passes the usual bar of 95 %.", "达到通常要求的 95%。")
    if share >= DOUBTFUL:
        return Said("Below the usual bar of 95 %: it may well be luck.", "低于通常要求的 95%：很可能只是运气。")
    return Said("Luck alone explains it.", "仅凭运气即可解释。")


def _overfitting(found: Overfitting | None) -> Said:
    if found is None:
        return Said(
            "Probability of backtest overfitting: it takes two sets and sixteen days.",
            "过拟合概率：至少需要两组参数和十六个交易日。",
        )
    share, lost = f"{found.probability:.1%}", f"{found.loss_probability:.1%}"
    verdict = _choice(found)
    return Said(
        en=f"Probability of backtest overfitting {share}: of {found.ways:,} ways to choose on half of the days so "
        f"many chose a set that was in the lower half on the other days; it lost money there in {lost}. {verdict.en}",
        zh=f"过拟合概率 {share}：用一半的日子挑选最佳参数组，共 {found.ways:,} 种分法，"
        f"有这么多次它在另一半日子里排在后一半；有 {lost} 在另一半亏损。{verdict.zh}",
    )


def _choice(found: Overfitting) -> Said:
    if found.probability > 0.5:
        return Said("Choosing by these figures is no better than a coin.", "按这些数字挑选不比抛硬币强。")
    if found.loss_probability > 0.5:
        return Said("What was chosen mostly lost money all the same.", "选出来的多半仍然亏损。")
    if found.probability > 0.1:
        return Said("Choosing by these figures helps, with care.", "挑选有一定作用，仍须谨慎。")
    return Said("The choice holds on other days of this data.", "换到其他日子，选择依然成立。")


def _walk(found: Stitched) -> Said:
    sharpe = "-" if found.sharpe is None else f"{found.sharpe:.2f}"
    likely = "-" if found.probabilistic_sharpe is None else f"{found.probabilistic_sharpe:.1%}"
    return Said(
        en=f"Walk-forward: chosen on the past only, the strategy made {found.total_return:+.2%} with a Sharpe ratio of "
        f"{sharpe} out of sample; the probability that the true one is above 0 is {likely}.",
        zh=f"滚动样本外：只用过去挑选参数，样本外收益 {found.total_return:+.2%}，夏普比率 {sharpe}；"
        f"真实夏普大于 0 的概率为 {likely}。",
    )
