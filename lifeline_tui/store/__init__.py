"""One SQLite file that keeps everything: append-only history, live sessions of several processes, search, import and proof.

Opening an up-to-date file needs the standard library alone.
"""

from .errors import BadReference, OwnedElsewhere, StoreError, Unkept
from .ownership import Owner
from .read import Reader
from .rows import Branch, Checkpoint, Draft, Hit, Session
from .store import Store

__all__ = [
    "BadReference",
    "Branch",
    "Checkpoint",
    "Draft",
    "Hit",
    "OwnedElsewhere",
    "Owner",
    "Reader",
    "Session",
    "Store",
    "StoreError",
    "Unkept",
]
