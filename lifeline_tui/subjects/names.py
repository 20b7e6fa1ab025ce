"""Which names are of simulated subjects: known before a subject is made, and without what makes one (Law 8)."""

from __future__ import annotations

SIMULATED = ("sim/anxious", "sim/rational", "sim/contrarian", "sim/honest", "sim/base")
SCRIPTED = "scripted/"


def simulated(name: str) -> bool:
    """Whether `name` is that of an embedded puppet or of a file of replies."""
    return name in SIMULATED or name.startswith(SCRIPTED)
