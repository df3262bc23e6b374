"""Unlocking real trading: once a session, never again after a wrong password (contracts/futu.md 6.6)."""

import hashlib
from collections.abc import Mapping

from engine.domain.errors import BadMessage, ConfigError, Refused
from engine.gateways.futu import account_messages as a
from engine.gateways.futu import routes as r
from engine.gateways.futu import wire
from engine.gateways.futu.client import FutuClient
from engine.gateways.futu.orders import Account
from engine.net.rate_limit import Priority

PASSWORD = "SLUICE_FUTU_TRADE_PASSWORD"  # noqa: S105 - the name of a variable
PASSWORD_MD5 = "SLUICE_FUTU_TRADE_PASSWORD_MD5"  # noqa: S105 - the name of a variable
OTP = "SLUICE_FUTU_OTP"


class Unlocker:
    """Holds the password's digest, and whether it may be tried."""

    def __init__(self, client: FutuClient, environ: Mapping[str, str], gateway: str) -> None:
        self._client = client
        self._gateway = gateway
        self._otp = environ.get(OTP, "")
        plain, digest = environ.get(PASSWORD, ""), environ.get(PASSWORD_MD5, "").lower()
        if plain:
            # The protocol's own form of the password; nothing rests on its strength here.
            digest = hashlib.md5(plain.encode(), usedforsecurity=False).hexdigest()
        self._digest = digest
        self._barred = ""

    async def unlock(self, account: Account) -> None:
        """Unlock the account; does nothing for a simulated one.

        Raises:
            ConfigError: no password, a wrong one, or a second factor is wanted. GatewayError: no answer.
        """
        if account.simulated:
            return
        where = f"gateway {self._gateway}"
        if not self._digest:
            raise ConfigError(f"{where}: a real account must be unlocked; set {PASSWORD} or {PASSWORD_MD5}")
        if self._barred:
            raise ConfigError(f"{where}: not unlocked: {self._barred}; it is not tried again, start anew")
        question = a.UnlockAsk(
            unlock=True,
            pwd_md5=self._digest,
            security_firm=account.security_firm,
            acc_ids=[int(account.acc_id)],
            sec_otp=self._otp or None,
        )
        try:
            answer = await self._client.ask(r.UNLOCK_TRADE, question, priority=Priority.LOGIN)
        except Refused as refused:
            if refused.status != 200 or refused.retry_after_ns is not None:
                raise
            self._barred = self._words(refused)
            raise ConfigError(f"{where}: not unlocked: {self._barred}") from refused
        for row in answer.account_result_list or []:
            if row.acc_id == account.acc_id and not row.success:
                self._barred = f"account {account.acc_id} was left locked"
                raise ConfigError(f"{where}: {self._barred}")
        if answer.need_otp:
            self._barred = "a second factor is wanted"
            raise ConfigError(f"{where}: {self._barred}; set {OTP}")

    @staticmethod
    def _words(refused: Refused) -> str:
        try:
            envelope = wire.read(refused.body, wire.Envelope, "unlock")
            inside = wire.read(envelope.s2c, a.Unlocked | None, "unlock")  # type: ignore[arg-type]
        except BadMessage:
            return refused.message
        if inside is not None and inside.need_otp:
            return f"a second factor is wanted; set {OTP}"
        return refused.message
