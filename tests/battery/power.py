"""A power cut, played from the shim's log: what no sync had made durable may be there, be missing, or be torn.

A file's writes are durable after its own sync; that a file was made or removed is durable after its folder's sync, or, for a new
file, after its own.  Of what was not, chance keeps nothing, a beginning, or any part, each write cut at any 512 bytes.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass(frozen=True)
class Op:
    kind: str
    path: str
    offset: int = 0
    data: bytes = b""


@dataclass
class File:
    """`durable` content; `pending` operations since the last sync; whether its name is durable, and still there."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)
    named: bool = False


def operations(log: Path) -> list[Op]:
    data, found, at = log.read_bytes(), [], 0
    while at < len(data):
        end = data.index(b"\n", at)
        kind, offset, length, path = data[at:end].decode().split(" ", 3)
        at = end + 1
        held = int(length) if kind in "war" else 0
        found.append(Op(kind, path, int(offset), data[at : at + held]))
        at += held
    return found


def cut(ops: list[Op], place: int, before: dict[str, bytes], chance: random.Random) -> tuple[dict[str, bytes], list[str]]:
    """The files after a power cut behind operation `place`, and what had been acknowledged until then."""
    files = {path: File(bytearray(data), [], True) for path, data in before.items()}
    gone: dict[str, File] = {}
    acked: list[str] = []
    for op in ops[:place]:
        here = files.get(op.path)
        match op.kind:
            case "c":
                files[op.path] = File()
            case "u":
                if here is not None:
                    gone[op.path] = files.pop(op.path)
            case "r":
                moved = files.pop(op.path, None)
                if moved is not None:
                    gone.pop(op.path, None)
                    files[op.data.decode()] = moved
            case "s" if here is not None:
                for each in here.pending:
                    _do(here.durable, each)
                here.pending, here.named = [], True
            case "s":
                for path, each in files.items():
                    each.named = each.named or path.rpartition("/")[0] == op.path
                gone = {path: each for path, each in gone.items() if path.rpartition("/")[0] != op.path}
            case "a":
                acked += json.loads(op.data)
            case _:
                # A file that was there before the shim looked, such as a journal that SQLite opened without making it.
                files.setdefault(op.path, File()).pending.append(op)
    # A name whose removal is not durable may be there again, unless another file has taken it.
    for path, each in gone.items():
        if path not in files and each.named and chance.random() < 0.5:
            files[path] = each
    how = chance.choice(["none", "all", "beginning", "any"])
    left: dict[str, bytes] = {}
    for path, each in files.items():
        if not each.named and chance.random() < 0.5:
            continue
        content, kept = bytearray(each.durable), len(each.pending)
        if how == "beginning":
            kept = chance.randint(0, len(each.pending))
        for number, op in enumerate(each.pending):
            if how == "none" or number >= kept or (how == "any" and chance.random() < 0.5):
                continue
            torn = how in ("beginning", "any") and op.kind == "w" and chance.random() < 0.3
            size = SECTOR * chance.randint(0, len(op.data) // SECTOR) if torn else len(op.data)
            _do(content, Op(op.kind, op.path, op.offset, op.data[:size]))
        left[path] = bytes(content)
    return left, acked


def _do(content: bytearray, op: Op) -> None:
    if op.kind == "t":
        del content[op.offset :]
        content.extend(bytes(op.offset - len(content)))
        return
    content.extend(bytes(max(0, op.offset - len(content))))
    content[op.offset : op.offset + len(op.data)] = op.data
