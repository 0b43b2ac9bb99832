# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""www.magentocommerce.com/products/downloads: release files for a MAGEID and its download token."""

from __future__ import annotations

from urllib.parse import unquote

from . import ranges, tables
from .accounts import Account, fake_token, recognise_download
from .exchange import Answer, Described, Request, json_answer, logged_user, page_answer
from .offers import Offer
from .repository import other_host
from .switches import Switch
from .world import World

HOST = "www.magentocommerce.com"
PREFIX = "/products/downloads"
_ELSEWHERE = f"/_elsewhere{PREFIX}"
_LOGIN = "/customer/account/login"
# An account that is entitled to this package sees ee-* files too.
_COMMERCE = "magento/product-enterprise-edition"
# 25 bytes, the length of a text that was once saved as an archive.
SHORT_TEXT = b"No such file or no access"

SWITCHES = (
    Switch("downloads_wrong_credentials", "401", "answer to wrong or missing credentials: a status, a redirect to a "
           "login page, or a short text with 200", ("401", "403", "login", "text")),
    Switch("downloads_401_body", "html", "body of a 401", ("html", "text", "json", "empty")),
    Switch("downloads_challenge", True, "401 has WWW-Authenticate"),
    Switch("downloads_good_credentials", "200", "answer to good credentials at every address",
           ("200", "401", "403", "429", "503", "login")),
    Switch("downloads_retry_after", 0, "seconds in the Retry-After of 429 and 503 answers; 0: without this header"),
    Switch("downloads_info_type", "usual", "content type of the info pages: plain text and JSON, or text/html",
           ("usual", "html")),
    Switch("downloads_versions", "list", "form of ce_versions and ee_versions in the feed", ("list", "text")),
    Switch("downloads_md5", "right", "MD5 sums of the feed", ("right", "wrong", "empty")),
    Switch("downloads_file", "file", "body of a 200 for a file: the file, 25 bytes of text, the same text with the "
           "content type of an archive, or an HTML page", ("file", "text", "text_as_archive", "page")),
    Switch("downloads_unknown_file", "404", "answer for a file that does not exist", ("404", "text")),
    Switch("downloads_not_entitled", "404", "answer for an ee-* file without entitlement to it",
           ("404", "403", "401", "text")),
    Switch("downloads_redirect", False, "files are redirected (302) to another host (other_host)"),
    Switch("downloads_ranges", True, "Range is honoured; false: the whole file is sent with 200"),
    Switch("downloads_tags", True, "files have ETag and Last-Modified"),
    Switch("downloads_chunked", False, "files are sent without a Content-Length"),
    Switch("downloads_type", "by_name", "content type of files", ("by_name", "application/octet-stream")),
)  # fmt: skip


class Downloads:
    """The part that serves release files."""

    name = "downloads"
    switches: tuple[Switch, ...] = SWITCHES

    def owns(self, request: Request) -> bool:
        """True for its paths under any host name, and for every path under its own host name."""
        if request.host.lower().rsplit(":", 1)[0] == HOST:
            return True
        path = request.path
        return any(path == own or path.startswith(f"{own}/") for own in (PREFIX, _ELSEWHERE, _LOGIN))

    def describe(self, request: Request, world: World) -> Described:
        """The MAGEID of the request."""
        return Described(logged_user(request, world))

    def answer(self, request: Request, world: World) -> Answer:
        """Checks the credentials, then returns the info page or the file."""
        path = request.path
        if path.startswith(_LOGIN):
            return page_answer(200, "Sign in")
        if path.startswith(f"{_ELSEWHERE}/file/"):
            name = path[len(f"{_ELSEWHERE}/file/") :]
            offer = next((offer for offer in world.offers if offer.file_name == name), None)
            return page_answer(404, "Not Found") if offer is None else _file(request, offer, world)
        credentials = request.basic
        account = recognise_download(world.accounts.values(), *credentials) if credentials else None
        switches = world.switches
        verdict = switches.word("downloads_wrong_credentials" if account is None else "downloads_good_credentials")
        if account is None or verdict != "200":
            return _refusal(verdict, request, world)
        if request.method not in {"GET", "HEAD"}:
            return page_answer(405, "Method Not Allowed", headers=(("Allow", "GET, HEAD"),))
        # Split before unquoting; a plus sign is literal.
        raw = request.raw_path[len(PREFIX) :] if path.startswith(PREFIX) else ""
        steps = [unquote(step) for step in raw.strip("/").split("/")]
        if steps[0] == "file" and len(steps) == 2:
            return self._named_file(steps[1], request, account, world)
        if steps[0] == "info":
            return self._info(steps[1:], request, account, world)
        return page_answer(404, "Not Found")

    def _info(self, steps: list[str], request: Request, account: Account, world: World) -> Answer:
        # Anything after an option, or after the two words of a filter, is ignored.
        option, offers = "".join(steps[:1]), visible(account, world)
        html = world.switches.word("downloads_info_type") == "html"
        if option == "json":
            content = tables.feed(
                offers,
                md5=world.switches.word("downloads_md5"),
                as_text=world.switches.word("downloads_versions") == "text",
            )
            answer = json_answer(200, content)
            return Answer(200, answer.body, "text/html") if html else answer
        if option == "files":
            text = tables.table(offers)
        elif option == "versions":
            text = tables.versions_page(offers)
        elif option == "filter" and len(steps) > 2:
            text = tables.table(tables.chosen(offers, steps[1], steps[2]))
        else:
            text = tables.help_page(request.base + PREFIX)
        return Answer(200, text.encode(), "text/html" if html else "text/plain; charset=utf-8")

    def _named_file(self, name: str, request: Request, account: Account, world: World) -> Answer:
        switches = world.switches
        offer = next((offer for offer in world.offers if offer.file_name == name), None)
        if offer is None or (offer.enterprise and not sees_commerce(account)):
            return _refusal(
                switches.word("downloads_unknown_file" if offer is None else "downloads_not_entitled"), request, world
            )
        instead = switches.word("downloads_file")
        if instead == "page":
            return page_answer(200, "Sign in")
        if instead != "file":
            return Answer(200, SHORT_TEXT, offer.content_type if instead == "text_as_archive" else "text/html")
        if switches.on("downloads_redirect"):
            step = request.raw_path.rsplit("/", 1)[1]
            target = f"https://{other_host(request, switches.word('other_host'))}{_ELSEWHERE}/file/{step}"
            return page_answer(302, "Found", headers=(("Location", target),))
        return _file(request, offer, world)


def sees_commerce(account: Account) -> bool:
    """Whether the account sees ee-* files."""
    return account.entitled(_COMMERCE)


def visible(account: Account, world: World) -> list[Offer]:
    """The files that the account may download."""
    return [offer for offer in world.offers if not offer.enterprise or sees_commerce(account)]


def replace_token(account: Account, world: World) -> str:
    """A new token, as the account page creates one; the old token stops working."""
    numbers = world.part(Downloads.name).setdefault("tokens", {})
    numbers[account.name] = numbers.get(account.name, 0) + 1
    return fake_token(account.name, numbers[account.name])


def _file(request: Request, offer: Offer, world: World) -> Answer:
    switches = world.switches
    kind = switches.word("downloads_type")
    answer = ranges.answer_file(
        request,
        offer.body(),
        content_type=offer.content_type if kind == "by_name" else kind,
        entity_tag=offer.entity_tag,
        ranges=switches.on("downloads_ranges"),
        tags=switches.on("downloads_tags"),
    )
    return Answer(
        answer.status, answer.body, answer.content_type, answer.headers, chunked=switches.on("downloads_chunked")
    )


def _refusal(verdict: str, request: Request, world: World) -> Answer:
    switches = world.switches
    if verdict == "text":
        return Answer(200, SHORT_TEXT, "text/html")
    if verdict == "login":
        target = f"https://{other_host(request, switches.word('other_host'))}{_LOGIN}/"
        return page_answer(302, "Found", headers=(("Location", target),))
    after = switches.number("downloads_retry_after")
    if verdict != "401":
        retry = (("Retry-After", str(after)),) if after and verdict in {"429", "503"} else ()
        titles = {"403": "Forbidden", "404": "Not Found", "429": "Too Many Requests", "503": "Service Unavailable"}
        return page_answer(int(verdict), titles[verdict], headers=retry)
    headers = (("WWW-Authenticate", 'Basic realm="Downloads"'),) if switches.on("downloads_challenge") else ()
    body = switches.word("downloads_401_body")
    if body == "html":
        return page_answer(401, "Unauthorized", headers=headers)
    if body == "json":
        return json_answer(401, {"message": "These credentials give no access to downloads."}, headers=headers)
    text = b"These credentials give no access to downloads.\n" if body == "text" else b""
    return Answer(401, text, "text/plain", headers)
