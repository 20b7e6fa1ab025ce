"""Puzzle families: generators whose keys are proved twice and whose wrong answers come from a named error.

A family is one module here with a `FAMILY`; adding one is adding the file.  Nothing is imported until a pack is made or checked,
because the start screen must not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from lifeline_tui.families.shape import BadParams, Family, Params, flaw

__all__ = ["BadParams", "Family", "Params", "families", "flaw"]


@cache
def families() -> Mapping[str, Family]:
    """Every family by its name, in the order of the names."""
    from importlib import import_module
    from pkgutil import iter_modules

    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    found = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return {family.name: family for family in sorted(found, key=lambda family: family.name)}
