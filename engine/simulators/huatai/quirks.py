"""What the client and the trading layer do besides their duty (contracts/ht.md 3.1, 3.2, 3.4)."""

import enum


class HuataiQuirk(enum.StrEnum):
    """Occasions: an order, a cancel, a table, a balance, any work in the client's window, any call, as said."""

    TIMEOUT_THEN_PLACED = "timeout_then_placed"
    """An order hangs past the caller's 30 s, goes in by second 45, and is answered only then."""
    TIMEOUT_NOT_PLACED = "timeout_not_placed"
    """An order hangs as long, and never goes in."""
    PLACED_WITHOUT_NUMBER = "placed_without_number"
    """Placed; the result dialog can not be read."""
    REFUSED_TEXT_AFTER_PLACING = "refused_text_after_placing"
    """Placed; then a dialog goes wrong, and its text is all that is answered."""
    SUCCESS_NOT_PLACED = "success_not_placed"
    """Answered like an order whose number was not shown, and never placed."""
    SLOW_DIALOG = "slow_dialog"
    """Placed; the dialogs take 5 to 20 s more."""
    CANCEL_NOT_DONE = "cancel_not_done"
    """A cancel is answered like a good one, and nothing is cancelled."""
    EMPTY_TABLE = "empty_table"
    SHORT_ROW = "short_row"
    """A table with one row that has fewer cells than the header: all of it is lost."""
    REPEATED_ROWS = "repeated_rows"
    """A table copied with some of its rows twice."""
    ZERO_BALANCE = "zero_balance"
    POPUP_OPEN = "popup_open"
    """Before any work in the window a pop-up opens; it stays until somebody closes it."""
    CLIENT_CLOSED = "client_closed"
    """Before any work in the window the client ends; it is back after a login."""
    SESSION_SWAP = "session_swap"
    """Before any call the automatic login's session is replaced by another one."""


AT_ORDER = (
    HuataiQuirk.TIMEOUT_THEN_PLACED,
    HuataiQuirk.TIMEOUT_NOT_PLACED,
    HuataiQuirk.PLACED_WITHOUT_NUMBER,
    HuataiQuirk.REFUSED_TEXT_AFTER_PLACING,
    HuataiQuirk.SUCCESS_NOT_PLACED,
    HuataiQuirk.SLOW_DIALOG,
)
AT_TABLE = (HuataiQuirk.EMPTY_TABLE, HuataiQuirk.SHORT_ROW, HuataiQuirk.REPEATED_ROWS)
AT_WINDOW = (HuataiQuirk.CLIENT_CLOSED, HuataiQuirk.POPUP_OPEN)
