"""The API's page: every question and command on one page, from the OpenAPI document, with nothing from elsewhere."""

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
STYLE_HASH = f"'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
"""What a Content-Security-Policy lets this page look like."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Golden Thread</title>
<style>{style}</style>
<h1>Golden Thread</h1>
<p>{description}</p>
<p><a href="/sign-in">Sign in</a>, or send a bearer token.
The whole description, with examples: <a href="/openapi.json">openapi.json</a>.</p>
{sections}
</html>
"""


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
    return _PAGE.format(style=_STYLE, description=escape(document["info"]["description"]), sections="\n".join(tables))
