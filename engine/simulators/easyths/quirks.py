"""What the window automation does besides its duty, by name (contracts/easyths.md 3.2 and 7).

Chances are an occasion's: one for each operation that could play it.
"""

import enum


class Quirk(enum.StrEnum):
    # Orders
    SUCCESS_WITHOUT_ORDER = "success_without_order"
    """The form was cleared, nothing was placed, ``success`` is true."""
    FAILED_AFTER_PLACING = "failed_after_placing"
    """Placed; ``success`` is false: 操作未能成功，请检查软件设置."""
    FAILED_WITH_SUCCESS_TEXT = "failed_with_success_text"
    """A window stopped it: not placed, ``success`` is false, the message says 成功提交."""
    LATE_POPUP = "late_popup"
    """The counter refused, its window came too late: ``success`` is true. Plays only where the counter refuses."""
    ERROR_BEFORE_PLACING = "error_before_placing"
    """异常 in the message, nothing placed."""
    ERROR_AFTER_PLACING = "error_after_placing"
    """异常 in the message, placed."""
    MARKET_NOTICE = "market_notice"
    """A market order was placed; the window that says so makes ``success`` false."""
    # Cancels
    CANCEL_NOT_SENT = "cancel_not_sent"
    """``success`` is true, nothing was cancelled."""
    CANCEL_SAID_FAILED = "cancel_said_failed"
    """Cancelled; a window makes ``success`` false."""
    # Tables
    EMPTY_TABLE = "empty_table"
    """The copy failed: ``success`` is true with the empty form."""
    REPEATED_ROWS = "repeated_rows"
    """One row comes twice."""
    SHIFTED_COLUMNS = "shifted_columns"
    """Every cell stands one column to the left."""
    CAPTCHA = "captcha"
    """Unsolved: orders say ``success`` false with the empty text, holdings can not be serialised."""
    CAPTCHA_SOLVED = "captcha_solved"
    """Up to 2.5 s more."""
    HISTORY_UNSUPPORTED = "history_unsupported"
    """A window says that this broker has no history: ``success`` false with the empty text."""
    MISSING_LABEL = "missing_label"
    """One of the funds could not be found."""
    # Conditions and repos
    CONDITION_NOT_SET = "condition_not_set"
    """The form was sent, no condition stands, ``success`` is true."""
    CONDITION_WINDOW_FAILED = "condition_window_failed"
    """Its window did not open: ...失败, nothing set."""
    REPO_WINDOW_FAILED = "repo_window_failed"
    """Its window did not open in 5 s: nothing lent, ``success`` false, the message claims success."""
    REPO_WRONG_ROW = "repo_wrong_row"
    """The row was not found: lent at the one selected before, answered as if at the right one."""
    # Any operation
    SLOW_DIALOG = "slow_dialog"
    """The client hangs for a while before it goes on."""
    UNSERIALISABLE_RESULT = "unserialisable_result"
    """Done, but status and result of this id answer 500 for ever."""
    NULL_RESULT_GAP = "null_result_gap"
    """The status is final for a while before the result is there."""
    CANCEL_RACE = "cancel_race"
    """DELETE is answered with 200 and the operation is executed all the same."""
