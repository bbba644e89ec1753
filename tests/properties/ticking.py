"""One worker of a site that does nothing but let clocks fire: `python -m tests.properties.ticking`. Ends by a signal.

Reads what it needs from its standard input: the database's URL, its secrets' folder and the prefix of its logins.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from adapters.bootstrap import Database, opened
from adapters.secrets import Secrets
from adapters.settings import Settings
from services.clocks import Clocks


def main() -> None:
    url, folder, prefix = (sys.stdin.readline().rstrip("\n") for _ in range(3))
    with opened(
        Database(url, Secrets.read(Path(folder)), prefix), Settings(environment="test", prefix=prefix)
    ) as parts:
        clocks = Clocks(parts.site)
        while True:
            written = clocks.fire()
            print(written, flush=True)  # noqa: T201 - what the test waits for
            time.sleep(0.01)


if __name__ == "__main__":
    main()
