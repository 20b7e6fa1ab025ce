"""What is typed or pasted may be any bytes.  Textual's decoder raises on those that are not UTF-8, and the app would end there."""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from functools import partial
from typing import Any


def _forgiving(encoding: str) -> Any:
    return partial(getincrementaldecoder(encoding), errors="replace")


def forgive(driver: object) -> None:
    """From now on `driver` reads a byte that means nothing as the sign for what is missing.  Its decoder cannot be reached but by
    the name that its module calls it by."""
    names = vars(sys.modules[type(driver).__module__])
    if "getincrementaldecoder" in names:
        names["getincrementaldecoder"] = _forgiving
