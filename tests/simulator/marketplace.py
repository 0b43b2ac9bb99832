# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""commercedeveloper-api.adobe.com/rest/v1: the key API, which manages the keys of an account."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, unquote

from . import sessions
from .accounts import PRODUCTION, SANDBOX, Account, recognise_application
from .exchange import UNKNOWN_USER, Answer, Described, Request, json_answer, logged_user, page_answer
from .key_calls import Broken, Failed, KeyCalls
from .switches import Switch
from .world import World

HOSTS = ("commercedeveloper-api.adobe.com", "commercedeveloper-sandbox-api.adobe.com")
PREFIX = "/rest/v1"
_SESSION = f"{PREFIX}/app/session/token"
_USERS = f"{PREFIX}/users/"
_OPERATIONS = {"GET": "list", "POST": "create", "PUT": "change", "DELETE": "delete"}
_ANSWERS = ("200", "401", "403", "404", "429", "500", "502", "503")

SWITCHES = (
    Switch("api_session", "200", "status for good application credentials", _ANSWERS),
    Switch("api_session_seconds", 7200, "longest lifetime of a session, and its lifetime if the client requests none"),
    Switch("api_session_requests", 0, "number of requests after which a new session expires; 0: no limit"),
    Switch("api_answer", "200", "status for good sessions at every other address; the call is carried out only with "
           "200", _ANSWERS),
    Switch("api_401_body", "json", "body of a 401", ("json", "html", "empty")),
    Switch("api_retry_after", 0, "seconds in the Retry-After of 429 and 503 answers; 0: without this header"),
    Switch("api_retry_after_form", "seconds", "form of that header", ("seconds", "date")),
    Switch("api_other_account", "403", "status for another account's mage_id", ("403", "404", "401")),
    Switch("api_order", "oldest", "the pair that is listed first", ("oldest", "newest")),
    Switch("api_empty", "list", "an empty list of pairs or product keys: an empty list, or absent from the answer",
           ("list", "absent")),
    Switch("api_label_without_type", "ignored", "a label filter without type=m2", ("ignored", "400")),
    Switch("api_label_characters", "any", "characters of a label: any, or only letters, digits, blanks, . - _",
           ("any", "plain")),
    Switch("api_label_code", 1208, "item code for a label that is missing, too long or has invalid characters"),
    Switch("api_uid_code", 1208, "code for a uid that does not belong to the account"),
    Switch("api_duplicate_code", 1208, "item code for a label that exists already"),
    Switch("api_unknown_label", "404", "PUT and DELETE of an unknown label: a status; 200: an item code (PUT), or 204 "
           "(DELETE)", ("404", "400", "200")),
    Switch("api_unknown_label_code", 1208, "code for an unknown label"),
    Switch("api_quota", 0, "maximum number of pairs of an account; 0: no limit"),
    Switch("api_quota_code", 1210, "item code for a pair beyond the quota"),
    Switch("api_batch_limit", 0, "maximum number of items in one POST, which fails as a whole with more; 0: no limit"),
    Switch("api_fail_label", "", "shell pattern of labels whose items fail (POST, PUT) or whose DELETE fails"),
    Switch("api_fail_code", 1210, "code of these failures"),
    Switch("api_fail_message", "This pair cannot be changed at the moment.", "message of these failures"),
    Switch("api_all_failed", "200", "status of a POST if every item failed", ("200", "400")),
    Switch("api_create_breaks_after", 0, "number of items that a POST carries out before it answers 500; 0: all"),
    Switch("api_put_item_codes", False, "answers to PUT contain a code also for items that succeeded"),
    Switch("api_delete_enabled", True, "an enabled pair can be deleted"),
    Switch("api_effect_milliseconds", 0, "delay before a change takes effect at the repository"),
    Switch("api_effect_requests", 0, "number of requests with the pair before a change takes effect at the repository"),
)  # fmt: skip


class Marketplace:
    """The part that manages keys."""

    name = sessions.PART
    switches: tuple[Switch, ...] = SWITCHES

    def owns(self, request: Request) -> bool:
        """True for its paths under any host name, and for every path under its own host names."""
        return request.path.startswith(f"{PREFIX}/") or request.host.lower().rsplit(":", 1)[0] in HOSTS

    def describe(self, request: Request, world: World) -> Described:
        """The application ID (of the session), the operation and its labels."""
        user = logged_user(request, world)
        if request.scheme == "Bearer":
            user = sessions.application_of(world, _bearer(request)) or UNKNOWN_USER
        if request.path == _SESSION:
            return Described(user, "session")
        steps = _steps(request)
        if len(steps) < 2 or steps[1] != "keys":
            return Described(user)
        operation = _OPERATIONS.get(request.method)
        items = _items(request) or []
        if request.method == "POST":
            labels = [item.get("label") for item in items if isinstance(item, Mapping)]
            return Described(user, operation, len(items), tuple(label for label in labels if isinstance(label, str)))
        if operation == "change":
            wanted = {item.get("is_enabled") for item in items if isinstance(item, Mapping)}
            operation = "enable" if wanted == {True} else "disable" if wanted == {False} else operation
            return Described(user, operation, len(items), tuple(steps[2:3]))
        if operation == "list":
            label = _query(request).get("label")
            return Described(user, operation, None, None if label is None else (label,))
        return Described(user, operation, 1, tuple(steps[2:3]))

    def answer(self, request: Request, world: World) -> Answer:
        """Opens a session, or checks the session and carries out the call."""
        try:
            if request.path == _SESSION:
                return self._session(request, world)
            account = (
                sessions.use(world, _bearer(request), _environment(request)) if request.scheme == "Bearer" else None
            )
            if account is None:
                raise Failed(401, "the session is unknown or has expired")
            _expect(world.switches.word("api_answer"))
            return self._call(request, account, world)
        except Failed as failure:
            return _failure(failure, world)
        except Broken:
            world.save()
            return page_answer(500, "Internal Server Error")

    def _session(self, request: Request, world: World) -> Answer:
        if request.method != "POST":
            raise Failed(405, "a session is requested with POST")
        known = None
        if request.basic:
            known = recognise_application(world.accounts.values(), _environment(request), *request.basic)
        if known is None:
            raise Failed(401, "the application ID or secret is wrong")
        _expect(world.switches.word("api_session"))
        account, application = known
        content = _content(request)
        if content.get("grant_type") != "session":
            raise Failed(400, "the grant_type must be session")
        longest = world.switches.number("api_session_seconds")
        seconds = content.get("expires_in", longest)
        if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds <= 0:
            raise Failed(400, "expires_in must be a positive number of seconds")
        seconds = min(seconds, longest)
        token = sessions.begin(world, account, application.id, seconds)
        return json_answer(200, {"mage_id": account.mage_id, "ust": token, "expires_in": seconds})

    def _call(self, request: Request, account: Account, world: World) -> Answer:
        steps = _steps(request)
        if not steps or len(steps) > 3 or (len(steps) > 1 and steps[1] != "keys"):
            raise Failed(404, "unknown address")
        if steps[0] != account.mage_id:
            raise Failed(int(world.switches.word("api_other_account")), "this is another account's mage_id")
        if len(steps) == 1 and request.method == "GET":
            return json_answer(200, {"mage_id": account.mage_id, "screen_name": account.name})
        calls, query = KeyCalls(world, account), _query(request)
        if len(steps) == 2 and request.method == "GET":
            return json_answer(200, calls.listed(query.get("type", "all"), query.get("label"), query.get("uid", "all")))
        if len(steps) == 2 and request.method == "POST":
            answers = calls.create(_batch(request))
            world.save()
            failed = all(answer["code"] != 200 for answer in answers) and world.switches.word("api_all_failed") == "400"
            if failed:
                raise Failed(400, answers[0]["message"], answers[0]["code"])
            return json_answer(200, {"m2": answers})
        # Servers resolve "." and ".." before they route the request, even if they are percent-encoded.
        if len(steps) != 3 or steps[2] in {"", ".", ".."}:
            raise Failed(405 if len(steps) < 3 else 404, "unknown call")
        if request.method == "PUT":
            answers = calls.change(steps[2], _batch(request))
            world.save()
            return json_answer(200, {"m2": answers})
        if request.method == "DELETE":
            calls.delete(steps[2], query.get("uid", ""))
            world.save()
            return Answer(204)
        raise Failed(405, "unknown call")


def _environment(request: Request) -> str:
    """``sandbox`` if the host name contains that word, like the real host name; ``production`` otherwise."""
    return SANDBOX if SANDBOX in request.host.lower() else PRODUCTION


def _bearer(request: Request) -> str:
    return request.headers["Authorization"].partition(" ")[2].strip()


def _steps(request: Request) -> list[str]:
    """The path after ``users/``, split before unquoting because a label may contain any character."""
    if not request.raw_path.startswith(_USERS):
        return []
    return [unquote(step) for step in request.raw_path[len(_USERS) :].split("/")]


def _query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.query, keep_blank_values=True))


def _content(request: Request) -> Mapping[str, Any]:
    try:
        content = json.loads(request.body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Failed(400, "the body must be a JSON object")
    return content


def _items(request: Request) -> list[Any] | None:
    try:
        items = _content(request).get("m2")
    except Failed:
        return None
    return items if isinstance(items, list) else None


def _batch(request: Request) -> list[Any]:
    items = _items(request)
    if not items:
        raise Failed(400, "the body must be an object with a non-empty list m2")
    return items


def _expect(status: str) -> None:
    if status != "200":
        raise Failed(int(status), "this service is not available at the moment")


def _failure(failure: Failed, world: World) -> Answer:
    switches = world.switches
    headers: tuple[tuple[str, str], ...] = ()
    after = switches.number("api_retry_after")
    if after and failure.status in {429, 503}:
        date = formatdate(time.time() + after, usegmt=True)
        headers = (("Retry-After", str(after) if switches.word("api_retry_after_form") == "seconds" else date),)
    form = switches.word("api_401_body") if failure.status == 401 else "json"
    if failure.status >= 500:
        form = "html"
    if form == "json":
        return json_answer(failure.status, {"code": failure.code, "message": str(failure)}, headers=headers)
    if form == "html":
        return page_answer(failure.status, "Unauthorized" if failure.status == 401 else "Server Error", headers=headers)
    return Answer(failure.status, b"", "application/json", headers)
