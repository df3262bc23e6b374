"""What the server's and the client's words mean, and the mend (contracts/ht.md 3; the page's list of errors).

The words decide only where code and data do not. A text nobody has seen before proves nothing.
"""

import re

from msgspec import Struct

TEXT_MAX = 500


class Explanation(Struct, frozen=True):
    """``part``: what a text must hold. Meaning and mend in English and Chinese."""

    part: str
    english: str
    chinese: str


EXPLANATIONS = (
    Explanation(
        "无效的会话ID",
        "the session is not known, over, or was never made; it is made anew by connect or login, and a server with "
        "automatic login must have logged in",
        "会话不存在、已过期或未登录：重新 connect 或 login；自动登录模式请检查服务是否已登录",
    ),
    Explanation(
        "会话已超时",
        "no call for 30 minutes ended the session; it is made anew by connect or login",
        "30 分钟无操作，会话失效：重新 connect 或 login",
    ),
    Explanation(
        "缺少必填参数",
        "a field of the request is missing; for login set SLUICE_HT_COMM_PASSWORD, for anything else write the field",
        "请求缺少字段：登录请用 SLUICE_HT_COMM_PASSWORD 给出通讯密码，其他请补上该字段",
    ),
    Explanation(
        "委托数量不符合规则",
        "the quantity is no whole number of lots; buy in hundreds, or what the board allows",
        "委托数量不是整手：改为 100 的整数倍或该板块允许的数量",
    ),
    Explanation(
        "连接客户端失败",
        "the client does not run or is not where exe_path says; start it, or correct exe_path, then connect or login",
        "客户端未运行或路径不对：启动客户端或更正 exe_path，再 connect 或 login",
    ),
    Explanation(
        "登录失败，请检查账号密码",
        "account, password or communication password is wrong; correct them before the next attempt",
        "资金账号、交易密码或通讯密码错误：核对后再试",
    ),
    Explanation(
        "未连接到客户端",
        "nobody is logged in, or the client was closed; connect or login first",
        "未登录或客户端已关闭：先 connect 或 login",
    ),
)

NOT_CONNECTED = "未连接到客户端"
LOGIN_REFUSED = "登录失败，请检查账号密码"
SESSION_WORDS = ("无效的会话", "会话已超时", "会话ID")
_TYPES_REFUSED = re.compile(r"设置市价类型.{0,40}失败")
_CONVERSION = (
    "could not convert", "invalid literal", "must be a string", "cannot convert", "415 Unsupported", "400 Bad Request",
)  # fmt: skip
_BROKEN_OFF = ("关闭对话框", "处理对话框失败", "交易失败")
_QUESTION = re.compile(r"是否|确认|确定|[?？]")
_REFUSALS = (
    "提交失败", "委托失败", "资金不足", "可用金额不足", "余额不足", "可用不足", "数量不足", "股份不足", "证券不足",
    "可卖", "不符合规则", "非交易时间", "不在交易时间", "非交易时段", "已闭市", "已休市", "休市", "停牌", "涨跌幅",
    "涨停", "跌停", "价格超出", "超出范围", "不允许", "禁止", "没有权限", "无权限", "未开通", "不存在", "无此证券",
    "证券代码错误", "废单", "错误代码",
)  # fmt: skip
"""Words of the counter's own refusals, which come instead of a confirmation (contract 3.1)."""
_NUMBER_IN_TEXT = re.compile(r"(?:合同编号|委托编号|合同号)\s*(?:为|是)?\s*[:：]?\s*([0-9A-Za-z]{1,32})")
_DONE = ("成功", "已提交")
_NOT_FOUND = ("不能撤单", "状态错误", "未找到", "没有找到", "找不到", "不存在", "invalid literal", "could not convert")
_NOTHING_NEW = ("今日无新股", "没有发现可以申购的新股", "没有可申购", "无可申购")
_IPO_FAILED = "自动申购失败"


def explained(text: str) -> str:
    """The text on one line, with meaning and mend behind it where it is one of those known."""
    words = " ".join(text.split())[:TEXT_MAX]
    found = next((each for each in EXPLANATIONS if each.part in words), None)
    return f"{words} ({found.english}; {found.chinese})" if found is not None else words or "(no text)"


def says_session_lost(text: str) -> bool:
    return any(words in text for words in SESSION_WORDS)


def never_sent(code: int, text: str) -> bool:
    """Whether a failed order provably stopped before its button (contract 3.1)."""
    if text.lstrip().startswith(_BROKEN_OFF):
        return False
    if code == 400:
        return NOT_CONNECTED in text or text.startswith("缺少必填参数") or bool(_TYPES_REFUSED.search(text))
    return code == 500 and any(words in text for words in _CONVERSION)


def refused_by_counter(text: str) -> bool:
    """Whether a failed order's words are the counter's refusal: not a question, not an error of the automation.

    The words of a question are what the client asked before anything was sent to the counter: what came of it is lost.
    """
    if text.lstrip().startswith(_BROKEN_OFF) or _QUESTION.search(text):
        return False
    return any(words in text for words in _REFUSALS)


def number_in_text(text: str) -> str:
    """The number that a result dialog's words name, if they say that the order went in."""
    found = _NUMBER_IN_TEXT.search(text)
    return found[1] if found is not None and any(words in text for words in _DONE) else ""


def cancel_not_found(text: str) -> bool:
    """Whether a cancel did nothing because the server found no such order, as it says (contract 3.2)."""
    return any(words in text for words in _NOT_FOUND)


def nothing_to_subscribe(text: str) -> bool:
    return any(words in text for words in _NOTHING_NEW)


def subscription_failed(text: str) -> bool:
    return _IPO_FAILED in text
