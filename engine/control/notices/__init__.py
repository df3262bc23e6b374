"""Telling people: one channel a file, and the desk that decides what is sent when."""

from typing import Any

from engine.control.notices.dingtalk import DingTalk
from engine.control.notices.feishu import Feishu
from engine.control.notices.mail import Mail
from engine.control.notices.telegram import Telegram
from engine.control.notices.webhook import Webhook
from engine.control.notices.wecom import WeCom

CHANNELS: dict[str, type[Any]] = {
    "wecom": WeCom,
    "dingtalk": DingTalk,
    "feishu": Feishu,
    "telegram": Telegram,
    "webhook": Webhook,
    "mail": Mail,
}
"""Each is its own settings; ``open`` makes a ``Channel`` of it."""
