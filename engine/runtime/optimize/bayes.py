"""Sets by what the earlier ones came to: optuna's tree-structured Parzen estimator, in a storage that can be resumed.

Bergstra, Bardenet, Bengio and Kégl, *Algorithms for Hyper-Parameter Optimization*, NIPS 2011. Each set is drawn by a
seed of its own and from results told in order, so a study gives the same sets with any number of workers, and after an
interruption those it would have given without.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from engine.domain.errors import ConfigError
from engine.entropy import Entropy
from engine.runtime.optimize.search import Value
from engine.runtime.optimize.space import Dimension, Parameters, Space, key_of

if TYPE_CHECKING:
    import optuna

LAG = 16
"""Sets that may be out at once: as many as workers can be busy with; the estimator lags by so many."""
_OURS = "sluice"


class Bayes:
    """Implements ``search.Search``."""

    lag = LAG

    def __init__(self, space: Space, trials: int, seed: int, *, storage: str, study: str, about: str) -> None:
        """
        Args:
            storage: ``sqlite:///file.db`` or ``postgresql://user@host/name``; empty: in memory.
            study: its name in the storage; one that is there goes on.
            about: what its values are of; a study of something else is refused.

        Raises:
            ConfigError: optuna is not installed; the storage can not be used; the study is of something else.
        """
        self._optuna = _imported()
        self._distributions = {d.name: self._distribution(d) for d in space.dimensions}
        self._chance = Entropy(seed)
        self.total = trials
        ranges = key_of({name: str(one) for name, one in self._distributions.items()})
        self._study = self._open(storage, study, f"{about} {ranges}")
        names = self._distributions.keys()
        self._before = [trial for trial in self._study.get_trials(deepcopy=False) if trial.params.keys() == names]
        self._numbers: list[int] = []
        """Ours -> the storage's; they differ where an interruption left a trial half made."""

    def ask(self) -> Parameters | None:
        number = len(self._numbers)
        if number >= self.total:
            return None
        if number < len(self._before):
            trial: Any = self._before[number]
        else:
            seed = self._chance.stream(f"set {number}").getrandbits(32)
            self._study.sampler = self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)
            trial = self._study.ask(self._distributions)
        self._numbers.append(trial.number)
        return {name: trial.params[name] for name in self._distributions}

    def tell(self, number: int, value: Value) -> None:
        if number < len(self._before) and self._before[number].state.is_finished():
            return
        states = self._optuna.trial.TrialState
        # A set that is not fit is the worst there is to the estimator, and no number that would bend its scale.
        self._study.tell(self._numbers[number], value, state=states.PRUNED if value is None else states.COMPLETE)

    def _open(self, storage: str, study: str, about: str) -> "optuna.Study":
        from sqlalchemy.exc import SQLAlchemyError

        place = storage.replace("postgresql://", "postgresql+psycopg://", 1) or None
        failures = (SQLAlchemyError, ImportError, OSError, ValueError, RuntimeError)
        try:
            found: optuna.Study = self._optuna.create_study(
                storage=place, study_name=study, direction="maximize", load_if_exists=True
            )
            known = found.user_attrs.get(_OURS)
            if known is None:
                found.set_user_attr(_OURS, about)
        except failures as why:
            first = str(why).partition("\n")[0]
            raise ConfigError(
                f"--storage {_without_password(storage)}: can not be used ({first}); write sqlite:///study.db or "
                "postgresql://user@host/name"
            ) from why
        if known not in (None, about):
            raise ConfigError(
                f"--study {study}: it is of other data, ranges or objective; give this search a --study of its own"
            )
        return found

    def _distribution(self, dimension: Dimension) -> Any:
        kinds = self._optuna.distributions
        if not dimension.values:
            return kinds.FloatDistribution(dimension.low, dimension.high, log=dimension.log)
        values = dimension.values
        steps = {round(b - a, 12) for a, b in pairwise(values)} if dimension.is_number else {0, 1}
        if len(steps) == 1 and (step := steps.pop()) > 0:
            kind = kinds.IntDistribution if isinstance(values[0], int) else kinds.FloatDistribution
            return kind(values[0], values[-1], step=step)
        return kinds.CategoricalDistribution(values)


def _imported() -> Any:
    try:
        import optuna
    except ImportError as why:
        raise ConfigError("--search bayes needs optuna; install it: pip install 'sluice[optimize]'") from why
    # It logs each set; the progress bar and the table say the same.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    scheme, slashes, user = head.partition("://")
    return f"{scheme}{slashes}{user.partition(':')[0]}{at}{tail}" if at else url
