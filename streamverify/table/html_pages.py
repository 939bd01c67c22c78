"""The table's pages for browsers. Every text in them comes from strangers and is escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from streamverify.core.table.row import shown

if TYPE_CHECKING:
    from streamverify.core.table.pages import Page, RowQuery
    from streamverify.core.table.row import Row

_FRAME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:15px/1.5 system-ui;margin:2em}}table{{border-collapse:collapse}}
td,th{{padding:.2em .8em;text-align:left;vertical-align:top;border-bottom:1px solid #ccc;overflow-wrap:anywhere}}
input{{margin-right:1em}}</style>
{body}</html>"""

_COLUMNS = ("status", "reason", "assurance", "run", "run_seconds", "summary")


def results_page(page: Page, wanted: RowQuery) -> str:
    """Make a page of rows, with a form for the query and a link to the next page."""
    rows = "".join(map(_line, page.rows)) or f'<tr><td colspan="{len(_COLUMNS) + 1}">There are no such results.'
    head = "".join(f"<th>{name}" for name in ("custom_id", *_COLUMNS))
    fields = "".join(
        f'<label>{name} <input name="{name}" value="{html.escape(value or "")}"></label>'
        for name, value in (("prefix", wanted.prefix), ("reason", wanted.reason), ("run", wanted.run))
    )
    following = ""
    if page.after is not None:
        query = [pair for pair in wanted.as_query() if pair[0] != "after"]
        following = f'<p><a href="/results?{html.escape(urlencode([*query, ("after", page.after)]))}">next page</a>'
    body = f'<h1>Results</h1><form action="/results">{fields}<button>show</button></form>'
    return _FRAME.format(title="Results", body=f"{body}<table><tr>{head}{rows}</table>{following}")


def result_page(row: Row) -> str:
    """Make the page of one custom_id."""
    lines = "".join(f"<tr><th>{name}<td>{_text(value)}" for name, value in shown(row).items())
    whole = f"{address_of(row['custom_id'])}&amp;full=true"
    links = f'<p><a href="/results">all results</a> <a href="{whole}">as JSON, whole</a>'
    title = html.escape(row["custom_id"])
    return _FRAME.format(title=title, body=f"<h1>{title}</h1><table>{lines}</table>{links}")


def error_page(sentence: str) -> str:
    """Make a page of one sentence."""
    return _FRAME.format(title="Results", body=f"<h1>Results</h1><p>{html.escape(sentence)}")


def address_of(custom_id: str) -> str:
    """Return the address of the page of an id, for an attribute.

    In the query, not in the path: browsers and proxies take `.`, `..` and `//` out of a path, and ids may have them.
    """
    return f"/results?id={quote(custom_id, safe='')}"


def _line(row: Row) -> str:
    cells = "".join(f"<td>{_text(row.get(name))}" for name in _COLUMNS)
    return f'<tr><td><a href="{address_of(row["custom_id"])}">{html.escape(row["custom_id"])}</a>{cells}'


def _text(value: object) -> str:
    return "" if value is None else html.escape(str(value))
