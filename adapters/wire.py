"""What may travel in clear: nothing, but on this very machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo


def is_loopback(host: str) -> bool:
    """Return whether a host, by name or address, is this very machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_encrypted(url: object) -> bool:
    """Return whether a URL is https, or http of this very machine."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def is_verified(database_url: str) -> bool:
    """Return whether a libpq URL leads to this very machine, or only to a server whose certificate is checked.

    What the URL leaves out, libpq takes from its environment. Raises `ValueError` for what is no such URL.
    """
    try:
        said = conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        raise ValueError("it is not a PostgreSQL URL") from None  # its own message may quote a password
    found = {o.keyword.decode(): o.val.decode() for o in Conninfo.get_defaults() if o.val is not None} | said
    if found.get("sslmode") == "verify-full":
        return True
    if "service" in found and not {"host", "hostaddr"} & said.keys():  # a file that we do not read says where
        return False
    hosts = str(found.get("hostaddr") or found.get("host") or "").split(",")
    return all(host == "" or host[0] in "/@" or is_loopback(host) for host in hosts)
