"""An accounting of disclosures to print: one page, with nothing from elsewhere and no script."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi.responses import HTMLResponse

from adapters.http.page import policy
from adapters.http.signin import CSRF_FIELD
from services.questions.lines import cell

_STYLE = """
body { font: 11pt/1.4 serif; margin: 1.5cm }
table { border-collapse: collapse; width: 100% }
thead { display: table-header-group }
tr { break-inside: avoid }
td, th { text-align: left; padding: .2em .6em .2em 0; border-bottom: 1px solid #999; vertical-align: top }
form { text-align: right }
@media print { form { display: none } }
"""
_KEPT = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": policy(_STYLE),
    "Referrer-Policy": "same-origin",  # with none, a browser would not say of the form below that it is ours
}
_COLUMNS = {
    "at": "When",
    "what": "What",
    "to": "To whom",
    "person": "Person",
    "labels": "What it was about",
    "purpose": "Why",
    "grants": "By your signature",
    "notice": "Notice that went with it",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Accounting of disclosures</title>
<style>{style}</style>
{sign_out}<h1>Accounting of disclosures</h1>
<p>Who was shown what about this participant, when, why, and by which signature. {count} entries{narrowed}.</p>
<table><thead><tr>{head}</thead><tbody>
{lines}
</tbody></table>
<h2>If you think something here was wrong</h2>
<p>Tell the privacy officer of LEAD: call {call}. You may also complain to the Secretary of Health and Human Services
(42 CFR 2.4, 45 CFR 160.306). Nobody may hold it against you that you did.</p>
</html>
"""
_SIGN_OUT = """<form method="post" action="/sign-out">
<input type="hidden" name="{field}" value="{csrf}"><button>Sign out</button></form>
"""


def accounting(body: dict[str, Any], narrowed: str, call: str, csrf: str | None) -> HTMLResponse:
    """Return an accounting to print.

    `narrowed`: which lines were asked for; `call`: the number that LEAD answers; `csrf`: the token of the session that
    asks, which can be left from here. A bearer has none.
    """
    lines = (
        "<tr>" + "".join(f"<td>{escape(cell(line, column))}" for column in _COLUMNS) for line in body["disclosures"]
    )
    text = _PAGE.format(
        style=_STYLE,
        sign_out="" if csrf is None else _SIGN_OUT.format(field=CSRF_FIELD, csrf=escape(csrf)),
        count=len(body["disclosures"]),
        narrowed=escape(narrowed),
        head="".join(f"<th scope=col>{name}" for name in _COLUMNS.values()),
        lines="\n".join(lines),
        call=escape(call),
    )
    return HTMLResponse(text, headers=_KEPT)
