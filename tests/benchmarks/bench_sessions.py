"""P10, the embedded half: how much of the machine 64 sessions at once can use."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from figures import Row
from terminal import ROOT

SESSIONS = 64


def concurrent(rounds: int) -> list[Row]:
    """Processor time used over what the cores offered meanwhile, and the attempts a second that came of it."""
    shares, rates = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            environ = {**os.environ, "HOME": folder, "LIFELINE_DB": str(Path(folder) / "t.db"), "PYTHONPATH": str(ROOT)}
            words = ["run", "baseline-20", "--repeats", str(SESSIONS), "--concurrency", str(SESSIONS), "--limit", "5", "--json"]
            cmd = [str(Path(sys.executable).with_name("lifeline")), *words]
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = subprocess.run(cmd, env=environ, capture_output=True, text=True, check=True)
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            shares.append(used / wall / (os.cpu_count() or 1))
            rates.append(sum(json.loads(line)["attempts"] for line in done.stdout.splitlines()) / wall)
    words_ = f"{os.cpu_count()} cores, {median(rates):.0f} attempts/s, start of the command included"
    return [Row("P10", f"{SESSIONS} embedded sessions, share of all cores used", 0.7, median(shares), words_, rounds, least=True)]
