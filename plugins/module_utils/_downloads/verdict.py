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

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Quote, server_text
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import Finding

# The text that clients look for in info/help.
HELP_HEADING = b"Downloads Usage:"

STATUS = {"token_valid": "valid", "token_invalid": "invalid", "access_refused": "refused", "not_asked": "not_checked"}
_CODE_OF_HTTP = {
    401: "token_invalid",
    402: "access_refused",
    403: "access_refused",
    404: "wrong_address",
    407: "proxy_failed",
    429: "rate_limited",
}
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
_NEXT = {
    "token_invalid": "Compare MAGEID and token with the account page. Generating a new token there revokes this one at "
    "once; an outage can look like this, too.",
    "access_refused": "Check the account and its contract, then any proxy or filter in between.",
    "login_page": "A site does this when it rejects the credentials, but also when it has changed.",
    "redirected": "Nothing was sent there. If downloads have moved, set downloads_url to the new address.",
    "wrong_address": "Check the option downloads_url.",
    "not_the_downloads": "Check the option downloads_url, and look for a sign-in page, a maintenance page or a filter.",
    "rate_limited": "Try again later, or from fewer hosts at once.",
    "server_error": "The fault is on the server: try again later.",
    "proxy_failed": "Check address and permissions of the proxy, and the task's variables https_proxy and no_proxy.",
    "connection_failed": "Check name resolution, firewall and outgoing access of this host.",
    "timed_out": "Check firewall and proxy between this host and the server, or increase the option timeout.",
    "connection_lost": "Try again; if it persists, check any proxy, filter or load balancer in between.",
    "tls_failed": "To trust the server's CA, set the option ca_path to its file; a proxy that intercepts TLS uses its "
    "own CA.",
    "netrc_unreadable": "Check the permissions and content of the file.",
    "unexpected_status": "Check the option downloads_url and any proxy or filter in between.",
    "curl_failed": "The exit code is explained in curl's manual, under EXIT CODES.",
}


@dataclass(frozen=True)
class CurlEnd:
    """How a run of curl ended. ``error``: its own text. ``proxy_status``: HTTP status of the proxy, or 0."""

    exit_code: int
    error: str = ""
    http_status: int = 0
    proxy_status: int = 0
    content_type: str = ""
    redirect_url: str = ""
    retry_after: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    version: str = ""

    def as_result(self, quote: Quote) -> Dict[str, Any]:
        """The value of ``curl`` in a verdict."""
        return {"exit_code": self.exit_code, "error": quote(self.error) or None, "version": self.version or None}


def judge_failure(end: CurlEnd, where: str, quote: Quote) -> Optional[Finding]:
    """The finding for an answer that did not arrive in full, or None."""
    if end.exit_code == 0:
        return None
    code = _CODE_OF_EXIT.get(end.exit_code, "curl_failed")
    said = quote(re.sub(r"\Acurl: \([0-9]+\) *", "", end.error.strip()))
    if end.proxy_status >= 400 or (end.exit_code in (7, 56) and re.search(r"proxy|CONNECT tunnel", end.error)):
        code = "proxy_failed"
    what = f"curl got no full answer from {where}: {said or 'no message'} (curl exit code {end.exit_code})."
    return Finding(code, what, http_status=end.http_status or None)


def judge_status(end: CurlEnd, where: str, quote: Quote) -> Optional[Finding]:
    """The finding for a status other than 200 and 206, or None."""
    status = end.http_status
    if status in (200, 206):
        return None
    said = quote(server_text(end.body[:4096], end.content_type))
    suffix = f' The server says: "{said}".' if said else ""
    if 300 <= status <= 399:
        parts = urlsplit(end.redirect_url)
        target = quote(f"{parts.netloc}{parts.path}") or "not shown"
        code = "login_page" if re.search(r"log-?in|sign-?in|account", parts.path, re.I) else "redirected"
        page = "a login page" if code == "login_page" else "another address"
        return Finding(code, f"{where} redirects to {page}, {target} (HTTP {status}).", http_status=status)
    code = _CODE_OF_HTTP.get(status) or ("server_error" if 500 <= status <= 599 else "unexpected_status")
    pause = quote(end.retry_after) if status in (429, 503) else ""
    wait = f", Retry-After: {pause}" if pause else ""
    what = {
        "token_invalid": f"{where} does not accept this MAGEID and token (HTTP 401).",
        "access_refused": f"{where} refuses access (HTTP {status}); this does not mean that the token is wrong.",
        "wrong_address": f"There is nothing at {where} (HTTP 404).",
        "proxy_failed": "The proxy requires a user name and password (HTTP 407).",
        "rate_limited": f"{where} received too many requests (HTTP 429{wait}).",
        "server_error": f"{where} is failing (HTTP {status}{wait}).",
    }.get(code, f"{where} answers HTTP {status}.")
    return Finding(code, what + suffix, http_status=status)


def judge_help(end: CurlEnd, where: str, quote: Quote) -> Finding:
    """The finding for an answer to ``info/help``."""
    finding = judge_failure(end, where, quote) or judge_status(end, where, quote)
    if finding is not None:
        return finding
    if HELP_HEADING in end.body:
        return Finding("token_valid", f"{where} accepts this MAGEID and token.", http_status=200)
    text = excerpt(end.body, quote)
    what = f'{where} answers 200, but not with the help page of downloads: "{text}".'
    return Finding("not_the_downloads", what, http_status=200)


def judge_page(end: CurlEnd, where: str, quote: Quote) -> Optional[Finding]:
    """The finding for a failed answer to any other page, or None."""
    return judge_failure(end, where, quote) or judge_status(end, where, quote)


def excerpt(body: bytes, quote: Quote, limit: int = 200) -> str:
    """The beginning of a text as one printable line; ``binary data`` for anything else."""
    if _BINARY.search(body, 0, 4 * limit):
        return "binary data"
    # More than is shown, since blanks are collapsed.
    line = quote(body[: 40 * limit].decode("utf-8", "replace"))
    return line if len(line) <= limit else line[: limit - 3] + "..."


def advice(finding: Finding) -> str:
    """The message of a finding, followed by a hint what to check."""
    return f"{finding.what} {finding.hint or _NEXT.get(finding.code, '')}".rstrip()


def verdict(
    finding: Finding,
    *,
    host: str,
    url: str,
    mage_id: Optional[str],
    curl: Optional[Mapping[str, Any]],
    path: Optional[str],
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
        "message": advice(finding),
        "curl": curl and dict(curl),
    }
