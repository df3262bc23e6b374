"""What the figures of overfitting mean, in a sentence each, English and Chinese."""

from engine.runtime.optimize.optimizing import Outcome
from engine.runtime.optimize.overfitting import Overfitting
from engine.runtime.optimize.ranking import RankedSet, Ranking
from engine.runtime.optimize.walk_forward import Stitched

BELIEVED, DOUBTFUL = 0.95, 0.5


def sentences(outcome: Outcome) -> list[tuple[str, str]]:
    """(English, Chinese), as many as there is something to say about."""
    said = [_none_fit()] if outcome.ranking.best is None else [_deflated(outcome.ranking, outcome.ranking.best)]
    said.append(_overfitting(outcome.ranking.overfitting))
    if outcome.walk is not None and outcome.walk.stitched is not None:
        said.append(_walk(outcome.walk.stitched))
    return said


def _none_fit() -> tuple[str, str]:
    return "No set is fit: see the reason beside each.", "没有合适的参数组：原因见表中每一行。"


def _deflated(ranking: Ranking, best: RankedSet) -> tuple[str, str]:
    if best.deflated_sharpe is None or ranking.luck is None:
        return (
            "Deflated Sharpe ratio: there are too few days with a return to say anything.",
            "紧缩夏普比率：有收益的天数太少，无法判断。",
        )
    share, luck = f"{best.deflated_sharpe:.1%}", f"{ranking.luck:.2f}"
    verdict = _verdict(best.deflated_sharpe)
    return (
        f"Deflated Sharpe ratio {share}: the best of {ranking.tried} sets without any skill would show an annual Sharpe "
        f"ratio of {luck} by luck; this is the probability that the best set's true one is above that. {verdict[0]}",
        f"紧缩夏普比率 {share}：试 {ranking.tried} 组毫无能力的参数，最好的一组凭运气也会有年化夏普 {luck}；"
        f"这里给出最佳参数组的真实夏普高于它的概率。{verdict[1]}",
    )


def _verdict(share: float) -> tuple[str, str]:
    if share >= BELIEVED:
        return "That is the usual bar of 95 %.", "达到通常要求的 95%。"
    if share >= DOUBTFUL:
        return "Below the usual bar of 95 %: it may well be luck.", "低于通常要求的 95%：很可能只是运气。"
    return "Luck alone explains it.", "仅凭运气即可解释。"


def _overfitting(found: Overfitting | None) -> tuple[str, str]:
    if found is None:
        return (
            "Probability of backtest overfitting: it takes two sets and sixteen days.",
            "过拟合概率：至少需要两组参数和十六个交易日。",
        )
    share, lost = f"{found.probability:.1%}", f"{found.loss_probability:.1%}"
    high = found.probability > 0.5
    middle = found.probability > 0.1
    return (
        f"Probability of backtest overfitting {share}: of {found.ways:,} ways to choose on half of the days, so many chose a "
        f"set that was in the lower half on the other days; it lost money there in {lost}. "
        + ("Choosing by these figures is no better than a coin." if high else
           "Choosing by these figures helps, with care." if middle else "The choice holds on other days of this data."),
        f"过拟合概率 {share}：用一半的日子挑选最佳参数组，共 {found.ways:,} 种分法，有这么多次它在另一半日子里排在后一半；"
        f"其中 {lost} 在另一半亏损。"
        + ("按这些数字挑选不比抛硬币强。" if high else "挑选有一定作用，仍须谨慎。" if middle else "换到其他日子，选择依然成立。"),
    )  # fmt: skip


def _walk(found: Stitched) -> tuple[str, str]:
    sharpe = "-" if found.sharpe is None else f"{found.sharpe:.2f}"
    likely = "-" if found.probabilistic_sharpe is None else f"{found.probabilistic_sharpe:.1%}"
    return (
        f"Walk-forward: chosen on the past only, the strategy made {found.total_return:+.2%} with a Sharpe ratio of {sharpe} "
        f"out of sample; the probability that the true one is above 0 is {likely}.",
        f"滚动样本外：只用过去挑选参数，样本外收益 {found.total_return:+.2%}，夏普比率 {sharpe}；"
        f"真实夏普大于 0 的概率为 {likely}。",
    )
