"""What the process was given: the only place that reads the environment."""

import os
from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    """The environment variables as they are now; gateways find their secrets there."""
    return dict(os.environ)
