"""The way in.  Without words it opens the app at once: the command line's own parts are not even imported then."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Runs `lifeline` with the process's arguments."""
    # Imports make many objects and no garbage: a tenth of the time to the first paint went to looking for it.
    gc.set_threshold(50_000)
    if len(sys.argv) == 1:
        from .cli.launch import open_app

        sys.exit(open_app())
    from .cli.main import main as command

    command()


if __name__ == "__main__":
    main()
