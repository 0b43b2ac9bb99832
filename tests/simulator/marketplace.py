# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""commercedeveloper-api.adobe.com/rest/v1: the keys of an account, for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, unquote

from . import sessions
from .accounts import PRODUCTION, SANDBOX, Account, recognise_application
from .exchange import UNKNOWN_USER, Answer, Asked, Described, json_answer, page_answer, shown_user
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
    Switch("api_session_seconds", 7200, "the longest life of a session, and what one has that asks for none"),
    Switch("api_session_requests", 0, "requests after which a session that begins from now on expires; 0: none"),
    Switch("api_answer", "200", "status for good sessions at every other address, with nothing carried out", _ANSWERS),
    Switch("api_401_body", "json", "body of a 401", ("json", "html", "empty")),
    Switch("api_retry_after", 0, "seconds in the Retry-After of 429 and 503 answers; 0: no such header"),
    Switch("api_retry_after_form", "seconds", "form of that header", ("seconds", "date")),
    Switch("api_other_account", "403", "status for another account's mage_id", ("403", "404", "401")),
    Switch("api_order", "oldest", "which pair is listed first", ("oldest", "newest")),
    Switch("api_empty", "list", "what a list without a pair looks like", ("list", "absent")),
    Switch("api_label_without_type", "ignored", "a label filter without type=m2", ("ignored", "400")),
    Switch("api_label_characters", "any", "characters of a label: any, or letters, digits, blanks, . - _ only",
           ("any", "plain")),
    Switch("api_label_code", 1208, "item code for a label that is missing, too long or of wrong characters"),
    Switch("api_uid_code", 1208, "code for a uid that is not the account's"),
    Switch("api_duplicate_code", 1208, "item code for a label that is taken"),
    Switch("api_unknown_label", "404", "PUT and DELETE of a label that does not exist: a status; 200: an item code "
           "(PUT), or 204 (DELETE)", ("404", "400", "200")),
    Switch("api_unknown_label_code", 1208, "code for a label that does not exist"),
    Switch("api_quota", 0, "how many pairs an account may hold; 0: any number"),
    Switch("api_quota_code", 1210, "item code for a pair beyond the quota"),
    Switch("api_batch_limit", 0, "items in one POST, more fail as a whole; 0: any number"),
    Switch("api_fail_label", "", "shell pattern of labels whose items fail (POST, PUT) or whose DELETE fails"),
    Switch("api_fail_code", 1210, "code of these failures"),
    Switch("api_fail_message", "This pair cannot be changed at the moment.", "message of these failures"),
    Switch("api_all_failed", "200", "status of a POST none of whose items succeeded", ("200", "400")),
    Switch("api_create_breaks_after", 0, "a POST carries out so many items, then answers 500; 0: all"),
    Switch("api_put_item_codes", False, "answers to PUT carry a code for items that succeeded too"),
    Switch("api_delete_enabled", True, "an enabled pair can be deleted"),
    Switch("api_effect_milliseconds", 0, "how long the repository does not notice what is changed here"),
    Switch("api_effect_requests", 0, "for how many requests with the pair the repository does not notice"),
)  # fmt: skip


class Marketplace:
    """The part that manages keys."""

    name = sessions.PART
    switches: tuple[Switch, ...] = SWITCHES

    def owns(self, asked: Asked) -> bool:
        """Its paths under any host name, and everything under its own."""
        return asked.path.startswith(f"{PREFIX}/") or asked.host.lower().rsplit(":", 1)[0] in HOSTS

    def describe(self, asked: Asked, world: World) -> Described:
        """The application ID (of the session), what is to be done, and to which labels."""
        user = shown_user(asked, world)
        if asked.scheme == "Bearer":
            user = sessions.application_of(world, _bearer(asked)) or UNKNOWN_USER
        if asked.path == _SESSION:
            return Described(user, "session")
        steps = _steps(asked)
        if len(steps) < 2 or steps[1] != "keys":
            return Described(user)
        operation = _OPERATIONS.get(asked.method)
        items = _items(asked) or []
        if asked.method == "POST":
            named = [item.get("label") for item in items if isinstance(item, Mapping)]
            return Described(user, operation, len(items), tuple(label for label in named if isinstance(label, str)))
        if operation == "change":
            wanted = {item.get("is_enabled") for item in items if isinstance(item, Mapping)}
            operation = "enable" if wanted == {True} else "disable" if wanted == {False} else operation
            return Described(user, operation, len(items), tuple(steps[2:3]))
        if operation == "list":
            label = _query(asked).get("label")
            return Described(user, operation, None, None if label is None else (label,))
        return Described(user, operation, 1, tuple(steps[2:3]))

    def answer(self, asked: Asked, world: World) -> Answer:
        """Session, then the call."""
        try:
            if asked.path == _SESSION:
                return self._session(asked, world)
            account = sessions.use(world, _bearer(asked), _environment(asked)) if asked.scheme == "Bearer" else None
            if account is None:
                raise Failed(401, "the session is unknown or has expired")
            _expect(world.switches.word("api_answer"))
            return self._call(asked, account, world)
        except Failed as failure:
            return _failure(failure, world)
        except Broken:
            world.save()
            return page_answer(500, "Internal Server Error")

    def _session(self, asked: Asked, world: World) -> Answer:
        if asked.method != "POST":
            raise Failed(405, "a session is asked for with POST")
        known = None
        if asked.basic:
            known = recognise_application(world.accounts.values(), _environment(asked), *asked.basic)
        if known is None:
            raise Failed(401, "the application ID or secret is wrong")
        _expect(world.switches.word("api_session"))
        account, application = known
        content = _content(asked)
        if content.get("grant_type") != "session":
            raise Failed(400, "the grant_type must be session")
        most = world.switches.number("api_session_seconds")
        seconds = content.get("expires_in", most)
        if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds <= 0:
            raise Failed(400, "expires_in is a number of seconds")
        seconds = min(seconds, most)
        token = sessions.begin(world, account, application.id, seconds)
        return json_answer(200, {"mage_id": account.mage_id, "ust": token, "expires_in": seconds})

    def _call(self, asked: Asked, account: Account, world: World) -> Answer:
        steps = _steps(asked)
        if not steps or len(steps) > 3 or (len(steps) > 1 and steps[1] != "keys"):
            raise Failed(404, "there is nothing at this address")
        if steps[0] != account.mage_id:
            raise Failed(int(world.switches.word("api_other_account")), "this is another account's mage_id")
        if len(steps) == 1 and asked.method == "GET":
            return json_answer(200, {"mage_id": account.mage_id, "screen_name": account.name})
        calls, query = KeyCalls(world, account), _query(asked)
        if len(steps) == 2 and asked.method == "GET":
            return json_answer(200, calls.listed(query.get("type", "all"), query.get("label"), query.get("uid", "all")))
        if len(steps) == 2 and asked.method == "POST":
            answers = calls.create(_batch(asked))
            world.save()
            bad = all(answer["code"] != 200 for answer in answers) and world.switches.word("api_all_failed") == "400"
            if bad:
                raise Failed(400, answers[0]["message"], answers[0]["code"])
            return json_answer(200, {"m2": answers})
        # A server resolves these two before it looks at the path, however they are written.
        if len(steps) != 3 or steps[2] in {"", ".", ".."}:
            raise Failed(405 if len(steps) < 3 else 404, "there is no such call")
        if asked.method == "PUT":
            answers = calls.change(steps[2], _batch(asked))
            world.save()
            return json_answer(200, {"m2": answers})
        if asked.method == "DELETE":
            calls.delete(steps[2], query.get("uid", ""))
            world.save()
            return Answer(204)
        raise Failed(405, "there is no such call")


def _environment(asked: Asked) -> str:
    """The sandbox is what has that word in its name, as the real one does."""
    return SANDBOX if SANDBOX in asked.host.lower() else PRODUCTION


def _bearer(asked: Asked) -> str:
    return asked.headers["Authorization"].partition(" ")[2].strip()


def _steps(asked: Asked) -> list[str]:
    """What follows ``users/``, split before it is unquoted: a label may hold anything."""
    if not asked.raw_path.startswith(_USERS):
        return []
    return [unquote(step) for step in asked.raw_path[len(_USERS) :].split("/")]


def _query(asked: Asked) -> dict[str, str]:
    return dict(parse_qsl(asked.query, keep_blank_values=True))


def _content(asked: Asked) -> Mapping[str, Any]:
    try:
        content = json.loads(asked.body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Failed(400, "the body must be a JSON object")
    return content


def _items(asked: Asked) -> list[Any] | None:
    try:
        items = _content(asked).get("m2")
    except Failed:
        return None
    return items if isinstance(items, list) else None


def _batch(asked: Asked) -> list[Any]:
    items = _items(asked)
    if not items:
        raise Failed(400, "the body must be an object whose m2 is a list that is not empty")
    return items


def _expect(status: str) -> None:
    if status != "200":
        raise Failed(int(status), "this service is not at your disposal at the moment")


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
