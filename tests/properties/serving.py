"""One more process of a site, with a clock of its own that may be wrong: `python -m tests.properties.serving`.

Reads a line of JSON: the database's `url`, its `secrets`' folder, the `prefix` of its logins, by how many seconds its
clock is `ahead`, which `people` will sign in, and other `settings`. Writes one: its address and their tokens.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self
from unittest import mock

import jwt.api_jwt
import uvicorn

from adapters.bootstrap import Database, at_work, opened
from adapters.http import signin
from adapters.http.app import create_app
from adapters.identity import issuer
from adapters.secrets import Secrets
from adapters.settings import Settings


def ahead(seconds: float) -> None:
    """Set this process's clock: every reading of the time of day in its code, and in that which reads tokens."""
    right = time.time

    def wrong() -> float:
        return right() + seconds

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(wrong(), tz)

    mock.patch.object(time, "time", wrong).start()
    for module in (issuer, signin, jwt.api_jwt):
        mock.patch.object(module, "datetime", Wrong).start()


def main() -> None:
    given = json.loads(sys.stdin.readline())
    ahead(given["ahead"])
    settings = Settings(environment="test", prefix=given["prefix"], **given["settings"])
    db = Database(given["url"], Secrets.read(Path(given["secrets"])), given["prefix"])
    with opened(db, settings) as parts, at_work(parts, settings):
        demo = issuer.DemoIssuer(settings.audience)
        who = signin.SignIn(parts.site, parts.access, demo)
        app = create_app(parts.site, who, settings, parts.spans, parts.metrics, lambda: True)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        tokens = {who: demo.token(who) for who in given["people"]}
        print(json.dumps([f"http://127.0.0.1:{port}", tokens]), flush=True)  # noqa: T201 - what the test waits for
        sys.stdin.read()
        server.should_exit = True
        thread.join(10)


if __name__ == "__main__":
    main()
