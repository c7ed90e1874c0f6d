# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in front of a service and answers in its place: pages that are no answer of the interface."""

from __future__ import annotations

import functools
import gzip
import html
import http
import io
import typing as t
import urllib.parse

from ._arguments import Pair

HTML_TYPE = "text/html; charset=utf-8"


def status_page(status: int) -> bytes:
    """Return the page of a proxy for an HTTP status."""
    phrase = phrase_of(status)
    return _page(f"{status} {phrase}", f"<center><h1>{status} {phrase}</h1></center>\n<hr><center>gateway</center>")


def phrase_of(status: int) -> str:
    """Return what HTTP calls a status."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Whatever"


@functools.cache
def packed(megabytes: int) -> bytes:
    """Return so many megabytes, packed to a thousandth of that."""
    output, block = io.BytesIO(), bytes(1 << 20)
    with gzip.GzipFile(fileobj=output, mode="wb", mtime=0) as stream:
        for _unused in range(megabytes):
            stream.write(block)
    return output.getvalue()


def maintenance_page() -> bytes:
    """Return a page that says that the service is closed for a while."""
    return _page(
        "Scheduled maintenance",
        "<h1>We'll be back soon</h1>\n<p>Our systems are undergoing scheduled maintenance.</p>",
    )


def echo_page(pairs: t.Iterable[Pair]) -> bytes:
    """Return a page that shows the arguments of a call in every form a careless page may show them in."""
    rows = []
    for pair in pairs:
        value = pair.value or ""
        for shown in (value, html.escape(value), urllib.parse.quote_plus(value)):
            rows.append(f"<tr><td>{html.escape(pair.raw_name)}</td><td>{shown}</td></tr>")
    return _page("Application error", "<h1>Unexpected request</h1>\n<table>\n" + "\n".join(rows) + "\n</table>")


def _page(title: str, body: str) -> bytes:
    page = f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n{body}\n</body>\n</html>\n"
    return page.encode("utf-8")
