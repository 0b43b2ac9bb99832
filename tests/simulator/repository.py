# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""repo.magento.com, and any other Composer repository with the same layout (Composer v1 providers)."""

from __future__ import annotations

from dataclasses import replace

from .accounts import SANDBOX, Account, Recognised
from .exchange import Answer, Described, Request, json_answer, logged_user, page_answer
from .layout import Layout, lay_out
from .switches import Switch
from .world import World

_ANSWERS = ("200", "401", "402", "403", "404", "429", "503")
_ELSEWHERE = "/_elsewhere"
# Our own wording. As with the real host, the two cases differ, and both refer to the documentation of keys.
MISSING = "This repository is private and no authentication keys were sent. See the page on authentication keys."
INVALID = "The authentication keys that were sent are not valid. See the page on authentication keys."
REFUSED = "These authentication keys may not be used here at the moment."

SWITCHES = (
    Switch("maintenance", "off", "every request gets a maintenance page with this status", ("off", "503", "200")),
    Switch("challenge", False, "401 has WWW-Authenticate"),
    Switch("disabled_key", "401", "status for a disabled pair", ("401", "403")),
    Switch("deleted_key", "401", "status for a deleted pair", ("401", "403")),
    Switch("sandbox_key", "401", "status for an enabled pair of the key API's sandbox", ("401", "200")),
    Switch("good_keys", "200", "status for good pairs at every address (401: the outage of 2016)", _ANSWERS),
    Switch("packages_json", "200", "status for good pairs at /packages.json only", _ANSWERS),
    Switch("retry_after", 0, "seconds in the Retry-After of 429 and 503 answers; 0: without this header"),
    Switch("packages_form", "includes", "shape of packages.json", ("includes", "providers", "inline", "bare")),
    Switch("provider_names", "usual", "names of the provider includes", ("usual", "odd")),
    Switch("gzip", "unasked", "gzip: always for package files and on request for others; always; on request; never",
           ("unasked", "always", "asked", "never")),
    Switch("archive_not_entitled", "404", "status for an archive without entitlement to it", ("404", "403", "401")),
    Switch("archive_redirect", False, "archives are redirected (302) to another host"),
    Switch("archive_agent", False, "archives answer 403 unless the user agent begins with composer (any letter case)"),
    Switch("other_host", "", "host:port that redirects lead to; empty: another name of this server"),
)  # fmt: skip


def other_host(request: Request, configured: str) -> str:
    """Another name of this server: the configured one, or the loopback name that was not requested."""
    if configured:
        return configured
    name, colon, port = request.host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = request.host, "443"
    return f"{'127.0.0.1' if name == 'localhost' else 'localhost'}:{port}"


class Repository:
    """The part that owns every request that no other part owns."""

    name = "repository"
    switches: tuple[Switch, ...] = SWITCHES

    def owns(self, request: Request) -> bool:
        """Always true, because this part is asked last."""
        return True

    def describe(self, request: Request, world: World) -> Described:
        """The public half of the request."""
        return Described(logged_user(request, world))

    def answer(self, request: Request, world: World) -> Answer:
        """Checks maintenance, the pair and the status for it, then returns the file."""
        switches = world.switches
        if switches.word("maintenance") != "off":
            return page_answer(int(switches.word("maintenance")), "Down for maintenance", headers=_retry(world))
        if request.path.startswith(_ELSEWHERE):
            return self._archive(request.path[len(_ELSEWHERE) :], request, world, None)
        known = world.recognise(request)
        if known is None:
            return _unauthorised(INVALID if request.scheme else MISSING, world)
        folder = known.account.folder(request.host) or ""
        if not request.raw_path.startswith(f"{folder}/"):
            return page_answer(404, "Not Found")
        request = replace(request, raw_path=request.raw_path.removeprefix(folder), folder=folder)
        status = self._status(known, request, world)
        if status != "200":
            return _refusal(int(status), world)
        allowed = ("GET", "HEAD", "POST") if request.path == "/packages.json" else ("GET", "HEAD")
        if request.method not in allowed:
            return page_answer(405, "Method Not Allowed", headers=(("Allow", ", ".join(allowed)),))
        return self._file(request, known.account, world)

    def _status(self, known: Recognised, request: Request, world: World) -> str:
        if known.state != "enabled":
            return world.switches.word(f"{known.state}_key")
        if known.account.environment == SANDBOX and world.switches.word("sandbox_key") != "200":
            return world.switches.word("sandbox_key")
        if request.path == "/packages.json" and world.switches.word("packages_json") != "200":
            return world.switches.word("packages_json")
        return world.switches.word("good_keys")

    def _file(self, request: Request, account: Account, world: World) -> Answer:
        if request.path.startswith("/archives/"):
            return self._archive(request.path, request, world, account)
        layout = layout_for(request, account, world)
        if request.path == "/packages.json":
            return self._document(layout.root, request, world, "asked")
        body = layout.documents.get(request.path)
        if body is None:
            return page_answer(404, "Not Found")
        return self._document(body, request, world, "unasked" if request.path in layout.package_paths else "asked")

    def _document(self, body: bytes, request: Request, world: World, usual: str) -> Answer:
        mode = world.switches.word("gzip")
        if mode == "unasked":
            mode = "always" if usual == "unasked" else "asked"
        packed = mode == "always" or (mode == "asked" and request.accepts_gzip())
        return Answer(200, body, "application/json", gzip=packed)

    def _archive(self, path: str, request: Request, world: World, account: Account | None) -> Answer:
        release = world.catalog.by_archive_path(path)
        if release is None:
            return page_answer(404, "Not Found")
        if account is not None and not account.entitled(release.name):
            return _refusal(int(world.switches.word("archive_not_entitled")), world)
        # Other programs send composer-php/….
        agent = request.headers.get("User-Agent", "").lower()
        if world.switches.on("archive_agent") and not agent.startswith("composer"):
            return page_answer(403, "Forbidden")
        if account is not None and world.switches.on("archive_redirect"):
            elsewhere = f"https://{other_host(request, world.switches.word('other_host'))}{_ELSEWHERE}"
            target = f"{elsewhere}{path}?for={request.host}{request.folder}"
            return page_answer(302, "Found", headers=(("Location", target),))
        base = request.base
        if account is None and request.query.startswith("for="):
            # The archive must match the hash that was announced under the original address.
            base = f"https://{request.query[len('for=') :]}"
        return Answer(200, release.archive(base), "application/zip")


def layout_for(request: Request, account: Account, world: World) -> Layout:
    """The repository as the account sees it under the requested address."""
    return lay_out(
        tuple(release for release in world.catalog.releases if account.entitled(release.name)),
        base=request.base,
        form=world.switches.word("packages_form"),
        odd_names=world.switches.word("provider_names") == "odd",
    )


def _retry(world: World) -> tuple[tuple[str, str], ...]:
    after = world.switches.number("retry_after")
    return (("Retry-After", str(after)),) if after else ()


def _unauthorised(warning: str, world: World) -> Answer:
    headers = (("WWW-Authenticate", 'Basic realm="Composer repository"'),) if world.switches.on("challenge") else ()
    return json_answer(401, {"warning": warning}, headers=headers)


def _refusal(status: int, world: World) -> Answer:
    if status == 401:
        return _unauthorised(INVALID, world)
    if status in {402, 403}:
        return json_answer(status, {"warning": REFUSED})
    titles = {404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}
    return page_answer(status, titles[status], headers=_retry(world) if status in {429, 503} else ())
