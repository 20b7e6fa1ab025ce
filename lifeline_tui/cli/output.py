"""What every command of the command line has in common: where its data and its words go, how errors become exit codes, which notebook."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from ..core.text import visible, visible_line
from ..exporters import ExportError, ExportFailed
from ..interventions.types import Refusal
from ..loading.config import database, load_config
from ..loading.files import BadFile
from ..store import BadReference, Reader, StoreError, Unkept
from ..store.errors import ADVICE
from ..subjects.protocol import SubjectError

BAD_INPUT = (BadFile, BadReference, ExportError, Refusal, SubjectError)


def notebook(db: str | None) -> Path:
    return database(load_config(), db)


def say(text: str) -> None:
    """Words for the operator: a refusal may repeat what was given, a reply what a server said, and a traceback anything."""
    from ..subjects.child.redaction import without_secrets

    click.echo(visible(without_secrets(text)), err=True)


def say_line(text: str) -> None:
    """The same on one line, however many it has."""
    say(visible_line(text, 1000))


def complain(error: object) -> None:
    """An error as one line, and under it the reply that could be stored nowhere, if there is one."""
    say_line(f"lifeline: {error}")
    if isinstance(error, Unkept):
        say(error.text)


def report(what: object) -> None:
    """What the operator should know of a run: a sentence, or an error."""
    complain(what) if isinstance(what, Exception) else say_line(str(what))


def put(data: Any) -> None:
    """One JSON line of data; ASCII, so that no terminal is ever sent what a model wrote."""
    click.echo(json.dumps(data, ensure_ascii=True).replace("\x7f", "\\u007f"))


class Seen:
    """A terminal, for what is written to a file elsewhere: an export that is looked at is shown, one that is piped is exact."""

    def write(self, text: str) -> int:
        click.echo(visible(text), nl=False)
        return len(text)


def fail(code: int, error: object) -> NoReturn:
    with suppress(OSError):  # the terminal may be gone, and the exit code says it too
        complain(error)
    sys.exit(code)


_stopped_by = signal.SIGINT


def heed_signals() -> None:
    """Makes the signals that end a program do what control-c does: everything that arrived is saved first."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script's background job, which another's control-c must not end
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # not under nohup
            signal.signal(number, _as_control_c)


def _as_control_c(number: int, frame: object) -> None:
    global _stopped_by
    _stopped_by = signal.Signals(number)
    signal.raise_signal(signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def answering() -> Iterator[None]:
    """Errors become one line and an exit code."""
    from ..core.plan import SelectionError

    try:
        yield
    except ExportFailed as error:
        fail(1, error)
    except (*BAD_INPUT, SelectionError) as error:
        fail(2, error)
    except StoreError as error:
        fail(1, error)
    except KeyboardInterrupt:
        fail(128 + _stopped_by, "stopped; everything that arrived is saved")


def db_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--db`, which may also stand before the command."""
    return click.option(
        "--db",
        metavar="FILE",
        callback=lambda context, option, value: value or context.find_root().params.get("db"),
        help="The notebook's file (else LIFELINE_DB, the config, or the user data folder).",
    )(command)


@contextmanager
def reading(db: str | None) -> Iterator[Reader]:
    """The notebook, read only, as it is at this moment.  Raises StoreError where there is none, and for a fault that its damage explains:
    any other is our own."""
    path = notebook(db)
    try:
        with Reader(path) as store, store.moment():
            yield store
    except (sqlite3.Error, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        from ..store.verify import verify

        if isinstance(error, BAD_INPUT):
            raise
        with Reader(path) as store:
            wrong = verify(store)
        if not wrong:
            raise
        raise StoreError(f"{path} is damaged: {str(wrong[0]).removesuffix(ADVICE)}{ADVICE}") from error


def example(text: str) -> dict[str, Any]:
    return {"epilog": f"\b\nExample: {text}"}
