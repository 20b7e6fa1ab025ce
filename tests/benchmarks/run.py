"""The performance goals, measured by hand: ``python tests/benchmarks/run.py [P1 P2 …] [--rounds N] [--nodes N] [--elia COMMAND]``.

One table: goal, what was measured, the limit, the ratio of medians, and the medians.  What is compared takes turns within one run,
because absolute times mean little on a shared machine; run it at a quiet moment.  Not part of the test suite.
"""
# ruff: noqa: E402, T201

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1]), str(HERE.parents[2])]

import bench_provider
import bench_sessions
import bench_start
import bench_store
import bench_ui
from figures import HEAD, Row


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("goals", nargs="*", help="P1 to P10 and keys; default: all")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the quick measures; the slow ones take a third")
    parser.add_argument("--nodes", type=int, default=300_000, help="nodes of the large notebook")
    parser.add_argument("--folder", help="where to make the large notebook; a real disk")
    parser.add_argument("--elia", default=os.environ.get("ELIA", shutil.which("elia") or ""), help="the command of elia-chat")
    given = parser.parse_args()
    quick, slow = given.rounds, max(1, given.rounds // 3)
    table: dict[tuple[str, ...], Callable[[], list[Row]]] = {
        ("P1",): lambda: bench_start.start(quick, given.elia),
        ("P2",): lambda: bench_start.memory(slow),
        ("P3",): lambda: bench_provider.gaps(slow),
        ("P4",): lambda: bench_ui.stream(slow),
        ("P5",): lambda: bench_ui.length(slow) + bench_ui.tree(slow),
        ("P6", "P7"): lambda: bench_store.large(given.nodes, given.folder),
        ("P9",): lambda: bench_provider.tokens(quick),
        ("P10",): lambda: bench_sessions.concurrent(slow),
        ("KEYS",): lambda: bench_start.keys(slow),
    }
    wanted = {goal.upper() for goal in given.goals}
    if wanted - {goal for goals in table for goal in goals}:
        parser.error("the goals are " + ", ".join(goal for goals in table for goal in goals))
    print(HEAD)
    for goals, measure in table.items():
        if not wanted or wanted & set(goals):
            for row in measure():
                print(row.line(), flush=True)


if __name__ == "__main__":
    main()
