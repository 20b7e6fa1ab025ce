"""Every connection that a process and its children try to make, as Python sees it: an audit hook in each, which also stops whatever
would leave this machine before it has left.  What C libraries do on their own it does not see; `strace` does, where there is one."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from table import ROOT

HOOK = """
import ipaddress, json, os, sys

def note(*words):
    out = os.open({file!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(out, (json.dumps([os.getpid(), *words]) + "\\n").encode())
    os.close(out)

def beyond(host):
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True

def hook(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(args[1], tuple):
        host, port = args[1][:2]
        note("connection", host, port)
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0].decode() if isinstance(args[0], bytes) else args[0]
        note("name", host, args[1] if event == "socket.getaddrinfo" else 0)
    elif event in ("webbrowser.open", "urllib.Request", "ftplib.connect", "smtplib.connect"):
        note("name", str(args[0]), 0)
        host = str(args[0])
    else:
        if event == "socket.__new__" and args[1] in (2, 10):
            note("socket", "", 0)
        return
    if beyond(host):
        raise OSError("stopped by the audit")

note("process", " ".join(sys.orig_argv[:4]), 0)
sys.addaudithook(hook)
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """`what`: a process that is watched, a connection, a name that was looked up, or an internet socket that was made."""

    pid: int
    what: str
    host: str
    port: int


class Watch:
    """What was tried by the processes that run with its `environ`."""

    def __init__(self, folder: Path, plant: str = "") -> None:
        folder.mkdir(parents=True)
        self.file = folder / "tried.jsonl"
        (folder / "sitecustomize.py").write_text(HOOK.format(file=str(self.file)) + plant)
        self._since = 0
        self.environ: Mapping[str, str] = {"PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT, ROOT / "tests")))}

    def tried(self, *what: str) -> list[Tried]:
        """What was tried since all before was forgotten."""
        lines = self._lines()[self._since :]
        return [each for each in (Tried(*json.loads(line)) for line in lines) if each.what in what]

    def forget(self) -> None:
        self._since = len(self._lines())

    def _lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    @property
    def processes(self) -> int:
        """How many processes were watched so far."""
        return len({json.loads(line)[0] for line in self._lines()})


STRACE = shutil.which("strace")
_INTERNET = re.compile(r"AF_(?:INET6?|NETLINK|PACKET)\b")
_CONNECT = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*?sin6?_port=htons\((\d+)\), .*?\"([^\"]*)\"")


def traced(out: Path) -> list[str]:
    """What goes before a command so that the kernel tells which sockets it and its children use."""
    assert STRACE
    return [STRACE, "-f", "-qq", "-e", "trace=network", "-o", str(out)]


def traced_from_within(out: Path) -> str:
    """Code that puts the process that it runs in under `strace`, from its beginning: it starts itself anew."""
    again = f"os.execv({STRACE!r}, [*{traced(out)!r}, *sys.orig_argv])"
    return f"import os, sys\nif os.environ.pop('UNTRACED', ''):\n    {again}\n"


def internet(out: Path) -> tuple[int, list[tuple[str, int]]]:
    """(internet sockets made, addresses that something was sent to) in what `strace` wrote."""
    lines = out.read_text(errors="replace").splitlines()
    made = [line for line in lines if "socket(" in line and _INTERNET.search(line)]
    sent = [(match[2], int(match[1])) for match in map(_CONNECT.search, lines) if match]
    return len(made), sent


def at(url: str) -> tuple[str, int]:
    """The host and port of a server's address."""
    host, _, port = url.removeprefix("http://").partition("/")[0].rpartition(":")
    return host, int(port)


def elsewhere(tried: Iterable[Tried], chosen: tuple[str, int]) -> list[Tried]:
    """What went to another place than the chosen one."""
    return [each for each in tried if each.what in ("connection", "name") and (each.host, each.port) != chosen]
