"""Settings that a reader does not read are refused, not passed over."""

import json

from clipsenet.datasets.holding_out import HoldOutSettings
from clipsenet.errors import UsageError


def refuse_unread(settings: HoldOutSettings, read: type[HoldOutSettings], reader: str) -> None:
    """Refuse a setting of data that is not at its default and that the reader does not look at.

    Args:
        settings: what the user asked for.
        read: the class of settings that the reader reads.
        reader: its name, for the message.

    Raises:
        UsageError: naming the setting.
    """
    for name, field in type(settings).model_fields.items():
        default = field.get_default(call_default_factory=True)
        value = getattr(settings, name)
        if name not in read.model_fields and name != "benchmark" and value != default:
            raise UsageError(
                f"data.{name} is {json.dumps(value)}, but the reader {reader} does not read it: set data.{name}="
                f"{json.dumps(default)}; it reads {', '.join(read.model_fields)}"
            )
