"""That the account is the one, and of the kind, that config names: proven from the account list or refused.

The page's codes (1 simulate, 2 real) and the official protocol's (0 and 1) contradict each other (contracts/futu.md 3,
RELIABILITY 0.8): a simulated order could be a real one. So nothing is assumed.
"""

from collections.abc import Sequence

from engine.domain.errors import ConfigError
from engine.gateways.futu.account_messages import TradeAccount
from engine.gateways.futu.codes import ENVIRONMENTS

ACTIVE = 0


def proven_account(
    accounts: Sequence[TradeAccount], *, gateway: str, acc_id: str, environment: str, armed: bool
) -> TradeAccount:
    """The listed account, if everything agrees.

    Args:
        environment: ``simulate`` or ``real``, as config says it.

    Raises:
        ConfigError: a contradiction or a doubt, in one sentence.
    """
    code = ENVIRONMENTS.get(environment)
    if code is None:
        raise ConfigError(f"gateway {gateway}: environment {environment!r}: write 'simulate' or 'real'; no number")
    if environment == "real" and not armed:
        raise ConfigError(f"gateway {gateway}: environment 'real' trades real money; start with --arm to allow it")
    strange = [account for account in accounts if account.trd_env not in ENVIRONMENTS.values()]
    if strange:
        raise ConfigError(
            f"gateway {gateway}: account {strange[0].acc_id} is listed with trd_env {strange[0].trd_env}, which the "
            "official protocol does not have (0 simulate, 1 real): its codes can not be trusted, so nothing is traded"
        )
    listed = [account for account in accounts if account.acc_id == acc_id]
    if not listed:
        have = ", ".join(account.acc_id for account in accounts) or "none"
        raise ConfigError(f"gateway {gateway}: acc_id {acc_id!r} is not among the accounts of this key ({have})")
    if len(listed) > 1:
        raise ConfigError(
            f"gateway {gateway}: acc_id {acc_id} is listed {len(listed)} times; which one can not be told"
        )
    found = listed[0]
    if found.trd_env != code:
        words = {number: word for word, number in ENVIRONMENTS.items()}
        raise ConfigError(
            f"gateway {gateway}: config says {environment!r} (trd_env {code}), but account {acc_id} is listed with "
            f"trd_env {found.trd_env}, which is {words[found.trd_env]!r}; mend environment or acc_id"
        )
    if found.sim_acc_type and environment == "real":
        raise ConfigError(f"gateway {gateway}: account {acc_id} has a simulation type but is listed as real")
    if found.acc_status not in (None, ACTIVE):
        raise ConfigError(f"gateway {gateway}: account {acc_id} is disabled (acc_status {found.acc_status})")
    return found
