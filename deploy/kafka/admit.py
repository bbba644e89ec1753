#!/usr/bin/env python3
"""Let an agency in: a new password, and rules by which it writes only `in.AGENCY.*` and reads only `out.AGENCY.*`.

On the broker's machine, as a user who may read its certificate. The password is shown once; asked again, there is
another, and the old one is void. `--gateway` lets Golden Thread in, which reads `in.*` and writes `out.*`.
"""

import argparse
import re
import sys
from pathlib import Path
from secrets import token_urlsafe

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)


def rule(user: str, operation: ACLOperation, resource: ResourceType, prefix: str) -> ACL:
    """Allow the operation on everything whose name begins with the prefix, and nothing else."""
    pattern = ResourcePattern(resource, prefix, ACLResourcePatternType.PREFIXED)
    return ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, pattern)


def rules(user: str, *, gateway: bool, site: str = "") -> list[ACL]:
    """Return what an agency, or the gateway, may do; a prefix ends in a dot, so that no name begins with another.

    `site`: what the topics of the site begin with (GOLDENTHREAD_KAFKA_PREFIX). The gateway may make topics too.
    """
    reads, writes = (f"{site}in.", f"{site}out.") if gateway else (f"{site}out.{user}.", f"{site}in.{user}.")
    made = [reads, writes] if gateway else []
    return [
        rule(user, ACLOperation.READ, ResourceType.TOPIC, reads),
        rule(user, ACLOperation.WRITE, ResourceType.TOPIC, writes),
        rule(user, ACLOperation.READ, ResourceType.GROUP, f"{user}."),
        *(rule(user, ACLOperation.CREATE, ResourceType.TOPIC, prefix) for prefix in made),
    ]


def main() -> None:
    """Write the rules, then the password: nobody can sign in before the rules stand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agency", help="its id: small letters, digits and hyphens")
    parser.add_argument("--gateway", action="store_true", help="this is Golden Thread itself")
    parser.add_argument("--site", default="", help="what the site's topics begin with, on a broker of several")
    parser.add_argument("--broker", default="127.0.0.1:9092", help="the broker's INTERNAL listener")
    parser.add_argument("--certificates", type=Path, default=Path("/etc/kafka"), help="where ca.pem and broker.pem are")
    asked = parser.parse_args()
    if not re.fullmatch("[a-z0-9-]+", asked.agency):
        sys.exit("An agency's id is of small letters, digits and hyphens: it begins the names of its topics.")
    client = KafkaAdminClient(
        bootstrap_servers=asked.broker,
        security_protocol="SSL",
        ssl_cafile=str(asked.certificates / "ca.pem"),
        ssl_certfile=str(asked.certificates / "broker.pem"),
    )
    try:
        if failed := client.create_acls(rules(asked.agency, gateway=asked.gateway, site=asked.site))["failed"]:
            sys.exit(f"The broker refused the rules: {failed[0].__name__}")
        password = token_urlsafe(32)
        told = client.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(asked.agency, "SCRAM-SHA-512", password, iterations=8192)]
        )
        if refused := told[asked.agency]:
            sys.exit(f"The broker refused the password: {refused}")
    finally:
        client.close()
    sys.stdout.write(f"{password}\n")


if __name__ == "__main__":
    main()
