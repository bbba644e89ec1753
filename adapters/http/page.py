"""Pages of the site: every question and command on one, from the OpenAPI document; and what one sees having signed out.

Nothing on them is from elsewhere.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ccc; vertical-align: top }
code { font-size: .95em }
"""


def policy(style: str) -> str:
    """Return the Content-Security-Policy of a page: it has one style, loads nothing, sends its forms to us alone."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; object-src 'none'; base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'"
    )


POLICY = policy(_STYLE)
"""That of the pages here, and of every answer that is no page."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
{body}
</html>
"""
_BODY = """<p>{description}</p>
<p><a href="/sign-in">Sign in</a>, or send a bearer token.
The whole description, with examples: <a href="/openapi.json">openapi.json</a>.</p>
{sections}"""
_AGAIN = '<p><a href="/sign-in">Sign in again</a></p>'
_AT_PROVIDER = """<p>The provider with whom you signed in may still know you here. At a shared machine
<a href="{url}">sign out there, too</a>.</p>
"""


def signed_out(at_provider: str | None) -> str:
    """Return what one sees who left by a page's form. `at_provider`: where one signs out at the provider, too."""
    link = "" if at_provider is None else _AT_PROVIDER.format(url=escape(at_provider))
    return _PAGE.format(title="You are signed out", style=_STYLE, body=link + _AGAIN)


def page(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    sections: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            row = (
                f"<tr><td><code>{method.upper()}</code><td><code>{escape(path)}</code>"
                f"<td>{escape(operation.get('description') or operation.get('summary', ''))}"
            )
            sections.setdefault(operation.get("tags", ["more"])[0], []).append(row)
    tables = (
        f"<h2>{escape(tag.capitalize())}</h2><table>"
        f"<tr><th scope=col>Method<th scope=col>Path<th scope=col>What it does{''.join(rows)}</table>"
        for tag, rows in sections.items()
    )
    body = _BODY.format(description=escape(document["info"]["description"]), sections="\n".join(tables))
    return _PAGE.format(title="Golden Thread", style=_STYLE, body=body)
