"""Subscribe for every new share, once each trading day at a set time: a command by the clock, without market data."""

from engine import ConfigError, InstructionReport, InstructionState, Strategy, param


class DailyIpo(Strategy):
    """Needs an account whose broker subscribes (``huatai``). On days without a session the gate denies it, and nothing
    is sent. Each day is tried once: what became of it is in the log and the journal; one of unknown outcome is looked
    for, and never sent again.
    """

    at_time: str = param("09:45", doc="when, as 09:45 in Shanghai; new shares are taken from 09:30 to 15:00")

    def on_start(self) -> None:
        hour = self.at_time.partition(":")[0]
        if not hour.isdigit() or not 9 <= int(hour) < 15:
            raise ConfigError(f"at_time {self.at_time!r}: write a time of the session, as 09:45")
        self.at(self.at_time, self.take_part, tz="Asia/Shanghai", name="ipo")

    def take_part(self) -> None:
        self.log("subscribing for new shares", client_id=self.subscribe_ipo())

    def on_instruction(self, event: InstructionReport) -> None:
        if event.state is InstructionState.UNKNOWN:
            self.log("not known yet whether it was done", reason=event.reason)
        else:
            self.log(f"new shares: {event.state}", reason=event.reason, details=event.details)
