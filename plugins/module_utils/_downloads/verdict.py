# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the end of a curl run into a verdict on a download token. Pure.

As with auth keys, only a clear answer counts: a redirect to a login page does not say that the token is invalid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional
from urllib.parse import urlsplit

from .._redact import Quote
from .._repository.outcome import Finding, HttpAnswer
from .._repository.verdict import explain_status, message_of

# The text that clients look for in info/help.
HELP_HEADING = b"Downloads Usage:"

STATUS = {"token_valid": "valid", "token_invalid": "invalid", "access_refused": "refused", "not_asked": "not_checked"}
# Control characters that do not occur in text; those for white space, pages and colours do.
_BINARY = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
# From libcurl's list of errors; all others are curl_failed.
_CODE_OF_EXIT = {
    **dict.fromkeys((5, 97), "proxy_failed"),
    **dict.fromkeys((6, 7), "connection_failed"),
    28: "timed_out",
    **dict.fromkeys((18, 52, 55, 56, 92, 95), "connection_lost"),
    **dict.fromkeys((35, 51, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98), "tls_failed"),
    26: "netrc_unreadable",
}


CurlResult = Optional[Dict[str, Any]]


@dataclass(frozen=True)
class CurlEnd:
    """How a run of curl ended. ``error``: its own text. ``proxy_status``: HTTP status of the proxy, or 0."""

    exit_code: int
    error: str = ""
    http_status: int = 0
    proxy_status: int = 0
    redirect_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    version: str = ""

    def as_result(self, quote: Quote) -> CurlResult:
        """The value of ``curl`` in a verdict."""
        return {"exit_code": self.exit_code, "error": quote(self.error) or None, "version": self.version or None}


def _judge_failure(end: CurlEnd, where: str, quote: Quote) -> Finding:
    """The finding for an answer that did not arrive in full."""
    code = _CODE_OF_EXIT.get(end.exit_code, "curl_failed")
    said = quote(re.sub(r"\Acurl: \([0-9]+\) *", "", end.error.strip()))
    if end.proxy_status >= 400 or (end.exit_code in (7, 56) and re.search(r"proxy|CONNECT tunnel", end.error)):
        code = "proxy_failed"
    what = f"curl got no full answer from {where}: {said or 'no message'} (curl exit code {end.exit_code})."
    return Finding(code, what, http_status=end.http_status or None)


def judge_page(end: CurlEnd, where: str, quote: Quote) -> Optional[Finding]:
    """The finding for a failed answer, which includes any status other than 200 and 206, or None."""
    status = end.http_status
    if end.exit_code:
        return _judge_failure(end, where, quote)
    if status in (200, 206):
        return None
    if 300 <= status <= 399:
        parts = urlsplit(end.redirect_url)
        target = quote(f"{parts.netloc}{parts.path}") or "not shown"
        code = "login_page" if re.search(r"log-?in|sign-?in|account", parts.path, re.I) else "redirected"
        page = "a login page" if code == "login_page" else "another address"
        return Finding(code, f"{where} redirects to {page}, {target} (HTTP {status}).", http_status=status)
    content_type, retry_after = (end.headers.get(name, "") for name in ("content-type", "retry-after"))
    answer = HttpAnswer(status, end.body[:4096], content_type, retry_after)
    return explain_status(answer, where, quote, sent="this MAGEID and token", refused="token_invalid")


def judge_help(end: CurlEnd, where: str, quote: Quote) -> Finding:
    """The finding for an answer to ``info/help``."""
    finding = judge_page(end, where, quote)
    if finding is not None:
        return finding
    if HELP_HEADING in end.body:
        return Finding("token_valid", f"{where} accepts this MAGEID and token.", http_status=200)
    text = excerpt(end.body, quote)
    what = f'{where} answers 200, but not with the help page of downloads: "{text}".'
    return Finding("not_the_downloads", what, http_status=200)


def excerpt(body: bytes, quote: Quote, limit: int = 200) -> str:
    """The beginning of a text as one printable line; ``binary data`` for anything else."""
    if _BINARY.search(body, 0, 4 * limit):
        return "binary data"
    # More than is shown, since blanks are collapsed.
    line = quote(body[: 40 * limit].decode("utf-8", "replace"))
    return line if len(line) <= limit else line[: limit - 3] + "..."


def verdict(
    finding: Finding, *, host: str, url: str, mage_id: Optional[str], path: Optional[str], curl: CurlResult = None
) -> Dict[str, Any]:
    """One element of ``verdicts``. ``path``: the netrc that curl used, or None for a given pair."""
    return {
        "host": host,
        "url": url,
        "mage_id": mage_id,
        "path": path,
        "status": STATUS.get(finding.code, "unknown"),
        "code": finding.code,
        "http_status": finding.http_status,
        "message": message_of(finding, url="downloads_url"),
        "curl": curl,
    }
