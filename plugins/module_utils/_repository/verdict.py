# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on pairs of keys from the answers of a repository, and advice for every failed request. Pure.

The status alone decides; the server's text is only shown. A 401 has been seen for good keys during an outage
(magento/magento2 issue 4617), and an ambiguous answer is never called "invalid".
"""

from __future__ import annotations

from typing import Mapping, Optional

from .._redact import Quote, server_text
from .._secrets import MAGENTO_REPOSITORY
from .outcome import Finding, HttpAnswer, Verdict

_BLANKS = b" \t\r\n"

_STATUS = {
    "keys_valid": "valid",
    "keys_invalid": "invalid",
    "access_refused": "refused",
    "package_absent": "not_entitled",
    "no_address": "not_checked",
}
# Codes that verdicts on keys and on tokens share. 401 has a code of its own in each.
_CODE_OF_HTTP = {
    402: "access_refused",
    403: "access_refused",
    404: "wrong_address",
    407: "proxy_failed",
    429: "rate_limited",
}
# {url}: the option for the address that was asked.
_ADVICE = {
    "wrong_address": "Check the option {url}.",
    "rate_limited": "Try again later, or from fewer hosts at once.",
    "server_error": "The fault is on the server: try again later.",
    "not_a_repository": "Check the option {url}, and look for a sign-in page, a maintenance page or a filter.",
    "not_the_downloads": "Check the option {url}, and look for a sign-in page, a maintenance page or a filter.",
    "redirected": "Nothing was sent there. If this is the right address, set the option {url} to it.",
    "proxy_failed": "Check address and permissions of the proxy, and the task's variables https_proxy and no_proxy.",
    "connection_failed": "Check name resolution, firewall and outgoing access of this host.",
    "timed_out": "Check firewall and proxy between this host and the server, or increase the option timeout.",
    "connection_lost": "Try again; if it persists, check any proxy, filter or load balancer in between.",
    "tls_failed": "To trust the server's CA, set the option ca_path to its file; a proxy that intercepts TLS uses its "
    "own CA.",
    "unexpected_status": "Check the option {url} and any proxy or filter in between.",
    "hash_mismatch": "Try again; if it persists, a mirror is stale, or a proxy or filter alters the files.",
    "access_refused": "Check the account and its contract, then any proxy or filter in between.",
    "token_invalid": "Compare MAGEID and token with the account page. Generating a new token there revokes this one at "
    "once; an outage can look like this, too.",
    "login_page": "A site does this when it rejects the credentials, but also when it has changed.",
    "netrc_unreadable": "Check the permissions and content of the file.",
    "curl_failed": "The exit code is explained in curl's manual, under EXIT CODES.",
}


def opens_object(beginning: bytes) -> Optional[bool]:
    """Whether a body begins like a JSON object; None while too little of it is known."""
    rest = beginning.lstrip(_BLANKS)
    if rest[:1] != b"{":
        return False if rest else None
    inner = rest[1:].lstrip(_BLANKS)
    return inner[:1] in (b'"', b"}") if inner else None


def judge_answer(answer: HttpAnswer, where: str, quote: Quote) -> Finding:
    """Return the finding for an answer for ``packages.json``."""
    if answer.http_status == 200:
        if opens_object(answer.body):
            return Finding("keys_valid", f"{where} accepts this pair.", http_status=200)
        kind = quote(answer.content_type) or "no usable content type"
        what = f"{where} does not answer with a JSON object ({kind}).{_said(answer, quote)}"
        return Finding("not_a_repository", what, http_status=200)
    return explain_status(answer, where, quote, sent="this pair", refused="keys_invalid")


def explain_status(answer: HttpAnswer, where: str, quote: Quote, *, sent: str, refused: str) -> Finding:
    """Return the finding for a status other than success. ``sent``: the credentials; ``refused``: the code for 401."""
    status = answer.http_status
    code = _CODE_OF_HTTP.get(status, "server_error" if 500 <= status <= 599 else "unexpected_status")
    pause = quote(answer.retry_after) if status in (429, 503) else ""
    numbers = f"HTTP {status}, Retry-After: {pause}" if pause else f"HTTP {status}"
    what = {
        "access_refused": f"{where} refuses access ({numbers}); {sent} may still be right.",
        "wrong_address": f"There is nothing at {where} ({numbers}).",
        "proxy_failed": f"The proxy requires a user name and password ({numbers}).",
        "rate_limited": f"{where} received too many requests ({numbers}).",
        "server_error": f"{where} is failing ({numbers}).",
    }.get(code, f"{where} answers {numbers}.")
    if status == 401:
        code, what = refused, f"{where} does not accept {sent} (HTTP 401)."
    return Finding(code, what + _said(answer, quote), http_status=status)


def _said(answer: HttpAnswer, quote: Quote) -> str:
    said = quote(server_text(answer.body, answer.content_type))
    return f' The server says: "{said}".' if said else ""


def message_of(finding: Finding, *, url: str = "url") -> str:
    """Return the message of a finding, followed by what to check. ``url``: name of the option for the address."""
    hint = finding.hint or _ADVICE.get(finding.code, "")
    return f"{finding.what} {hint.format(url=url)}".rstrip()


def judge_file(answer: HttpAnswer, where: str, quote: Quote) -> Optional[Finding]:
    """Return the finding for a failed request of a file that ``packages.json`` names, or None for status 200."""
    if answer.http_status == 200:
        return None
    finding = judge_answer(answer, where, quote)
    if finding.code in ("keys_invalid", "access_refused", "wrong_address"):
        # The same pair opened packages.json, so the fault is in the file, not in the pair.
        what = f"The pair opens packages.json, but {where} answers HTTP {answer.http_status}."
        return Finding("unexpected_status", what, http_status=answer.http_status)
    return finding


def _key_message(finding: Finding, repository: str) -> str:
    magento = repository == MAGENTO_REPOSITORY
    if finding.code == "keys_invalid":
        place = "the access keys of the account" if magento else "what its vendor issued"
        hint = (
            f"Compare both halves with {place}: they may be swapped, or the key disabled or deleted. An outage "
            "can look like this: do not disable or delete any key because of it."
        )
    elif finding.code == "access_refused":
        causes = (
            "an unpaid invoice, an expired contract, or keys of a shared account"
            if magento
            else "an expired licence or a blocked account at the vendor"
        )
        hint = f"Look for {causes}, then for a proxy or filter in between."
    else:
        return message_of(finding)
    return f"{finding.what} {hint}"


def conclude(
    finding: Finding, *, repository: str, url: str, guessed: bool = False, packages: Optional[Mapping[str, str]] = None
) -> Verdict:
    """Return the verdict for a finding. ``guessed``: ``url`` is a default, so that a failure there decides nothing."""
    status = _STATUS.get(finding.code, "unknown")
    code, message = finding.code, _key_message(finding, repository)
    if guessed and status == "unknown":
        status, code = "not_checked", "no_address"
        message = (
            f"The pair was not checked: {url} is only a guess, and no Composer repository answers there. "
            f"{finding.what} Set option url to the right address."
        )
    return Verdict(repository, url, status, code, finding.http_status, message, dict(packages or {}))


def entitlement(packages: Mapping[str, str], trouble: Optional[Finding], repository: str) -> Finding:
    """Return the finding about ``packages``: all are listed, some are absent, or some are unknown."""
    absent = [name for name, state in packages.items() if state == "absent"]
    if absent:
        cause = (
            "Look at the spelling, then for keys of a shared account, an unpaid invoice or expired contract, or an "
            "entitlement that belongs to another MAGEID."
            if repository == MAGENTO_REPOSITORY
            else "Look at the spelling, then at what the licence behind this pair covers."
        )
        what = f"{repository} accepts this pair but does not list {', '.join(absent)}."
        return Finding("package_absent", what, cause, 200)
    if trouble is not None and "unknown" in packages.values():
        return trouble._replace(what=f"{repository} accepts this pair; what it offers is not known. {trouble.what}")
    return Finding("keys_valid", f"{repository} accepts this pair and offers every package asked for.", "", 200)
