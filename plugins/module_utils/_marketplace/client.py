# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client for the key calls of the Marketplace EQP REST API: list, create, enable, disable, delete.

Source: AdobeDocs/commerce-marketplace, ``src/pages/guides/eqp/v1/{auth,users,access-keys,handling-errors}.md``.
Needs `requests`; runs on the controller.
"""

from __future__ import annotations

import email.utils
import os
import re
import time
from http.client import HTTPException, IncompleteRead
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple
from urllib.parse import quote

from ansible.module_utils.basic import missing_required_lib

from .._errors import KeyfleetError
from .._repository.session import forget_key_log, in_time, no_cookies
from .._text import json_value, one_line
from .failures import (
    Redactor,
    check_authorities,
    item_refused,
    never_connected,
    number,
    refused,
    unreachable,
    unreadable,
)
from .plan import MarketplaceKey, Refusal

_IMPORT_ERROR = ""
try:
    # Some versions create a TLS context on import.
    forget_key_log()
    import requests
    from requests import Session
    from requests.auth import AuthBase, HTTPBasicAuth
    from urllib3 import exceptions as pool_errors
except ImportError as error:
    _IMPORT_ERROR = str(error)
    # So that the classes below can be defined.
    requests = None  # type: ignore[assignment]
    AuthBase = Session = object  # type: ignore[misc, assignment]

SESSION_SECONDS = 7200
_PREFIX = "/rest/v1"
# Seconds. A longer Retry-After is reported as a failure.
LONGEST_WAIT = 60.0
# Idempotent methods. A repeated POST could create a key twice.
REPEATABLE = frozenset(("GET", "PUT", "DELETE"))
_REPEATS = 4
# Repetitions of a call without connection or answer.
_REPEATS_UNANSWERED = 2
_BUSY = (429, 500, 502, 503, 504)
# Seconds before the second repetition. The first is immediate, and the pause doubles from then on.
_PAUSE = 1.0
# A call may take this many times the timeout, including repetitions and pauses.
CALL_FACTOR = 10
_MOST_BODY = 8 * 1024 * 1024
# A token is put into a header unchanged.
_TOKEN = re.compile(r"[\x21-\x7e]{8,8192}\Z")
# A MAGEID is part of every URL.
_MAGE_ID = re.compile(r"[\x21-\x7e]{1,255}\Z")
_SIZE = re.compile(r"[0-9]{1,18}\Z")
# A compressed answer would be unpacked before its size is known.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "keyfleet.magento"}
ADDRESSES = {
    "production": "https://commercedeveloper-api.adobe.com",
    "sandbox": "https://commercedeveloper-sandbox-api.adobe.com",
}
# Characters that HTTP can send as user and password, without control characters.
_HALF = re.compile(r"[\x21-\x7e]+\Z")
# Characters per field. A label has at most 32; every field is searched for secrets.
_LONGEST = 255
DONE = 200  # code of an item in a batch answer
# Seconds before each list request after a lost answer: the server may still be working.
_LOOKS = (0.0, 1.0, 3.0)


class Created(NamedTuple):
    """The result of a create call: created keys and refused items."""

    keys: Tuple[MarketplaceKey, ...]
    refusals: Tuple[Refusal, ...]


class Answer(NamedTuple):
    """A complete answer."""

    method: str
    status: int
    body: bytes
    retry_after: str

    def __repr__(self) -> str:
        return f"Answer({self.method!r}, {self.status})"


class _Bearer(AuthBase):
    """An explicit auth object: without one, requests replaces the header with a netrc entry."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(Session):
    """Keeps no cookies and follows no redirects. With allow_redirects=False alone, requests would read their bodies to
    the end."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(no_cookies())

    def get_redirect_target(self, resp: Any) -> None:
        """None."""


class Marketplace:
    """A session of the API, to be used as a context manager; connections are reused until its end.

    Every method may raise `KeyfleetError` with a code that begins with ``api_``; its text never contains a secret. Text
    of the API is shown only through the redactor.
    """

    def __init__(
        self,
        *,
        api_url: str,
        application_id: str,
        application_secret: str,
        timeout: float = 30.0,
        ca_path: Optional[str] = None,
        validate_certs: bool = True,
    ) -> None:
        if requests is None:
            raise KeyfleetError("requests_missing", f"{missing_required_lib('requests')} ({one_line(_IMPORT_ERROR)})")
        base = api_url.rstrip("/")
        self._base = base if base.endswith(_PREFIX) else base + _PREFIX
        self._application = HTTPBasicAuth(application_id.encode("utf-8"), application_secret.encode("utf-8"))
        self._redactor = Redactor(application_id, application_secret)
        self._timeout = timeout
        self._token: Optional[_Bearer] = None
        self._mage_id = ""
        # None lets the environment (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE) and then certifi decide.
        self._verify = (ca_path or None) if validate_certs else False
        if validate_certs:
            check_authorities(ca_path or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"))
        self._session = _Session()
        # Of all answers: a shown field of one may be the private key of another.
        self._shown: Set[str] = set()
        self._private_keys: Set[str] = set()

    def __enter__(self) -> Marketplace:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._session.close()

    @property
    def mage_id(self) -> str:
        """The MAGEID of the account, from the session."""
        if not self._mage_id:
            self._sign_in()
        return self._mage_id

    def keys(self, *, uid: str = "all") -> List[MarketplaceKey]:
        """All pairs of ``uid``: a MAGEID, an organisation, or ``all``. One request."""
        doing = "list the keys"
        answer = self._call("GET", "keys", doing=doing, params={"type": "m2", "uid": uid})
        keys = self._keys(_items(answer, doing), doing)
        if len({(key.uid, key.label) for key in keys}) < len(keys):
            raise unreadable(doing, "it lists a label twice for one owner")
        return keys

    def create(self, labels: Sequence[str], *, uid: str) -> Created:
        """Create a pair for each of ``labels``, in one request that is never repeated.

        If its answer is lost, the keys are listed to find out which labels were created.
        """
        doing = f"create {len(labels)} key{'s' * (len(labels) != 1)}"
        wanted = [{"label": label, "uid": uid} for label in labels]
        try:
            answer = self._call("POST", "keys", doing=doing, json={"m2": wanted})
            return self._created(_items(answer, doing), labels, uid=uid, doing=doing)
        except KeyfleetError as error:
            if not error.details.get("answer_lost"):
                raise
            return self._look(labels, uid=uid, error=error)

    def set_enabled(self, label: str, *, uid: str, enabled: bool) -> None:
        """Enable or disable one pair. The answer, or else the list of keys, must confirm it."""
        doing = f"{'enable' if enabled else 'disable'} {label!r}"
        body = {"m2": [{"is_enabled": enabled, "uid": uid}]}
        items = _items(self._call("PUT", "keys/" + quote(label, safe=""), doing=doing, json=body), doing)
        for item in items:
            code = number(item.get("code", DONE))
            if code != DONE:
                raise item_refused(doing, code, self._redactor.shown(item.get("message")))
            if item.get("is_enabled", enabled) is not enabled:
                raise unreadable(doing, "its key does not have the requested state")
        if not any("is_enabled" in item and item.get("label", label) == label for item in items):
            key = self._labelled(uid).get(label)
            if key is None or key.enabled is not enabled:
                raise unreadable(doing, "the list of keys does not confirm the change")

    def delete(self, label: str, *, uid: str) -> None:
        """Delete one pair. A missing one is not an error: an earlier answer may have been lost."""
        doing = f"delete {label!r}"
        try:
            self._call("DELETE", "keys/" + quote(label, safe=""), doing=doing, params={"uid": uid})
        except KeyfleetError as error:
            if error.code != "api_refused" or label in self._labelled(uid):
                raise

    def _labelled(self, uid: str) -> Dict[str, MarketplaceKey]:
        return {key.label: key for key in self.keys(uid=uid) if key.uid == uid}

    def _created(self, items: Sequence[Dict[str, Any]], labels: Sequence[str], *, uid: str, doing: str) -> Created:
        if len(items) != len(labels):
            raise unreadable(doing, "it does not have one item for each label")
        done: List[Dict[str, Any]] = []
        refusals = []
        # Items come back in the order sent.
        for label, item in zip(labels, items):
            if item.get("label", label) != label:
                raise unreadable(doing, "its items are not in the order of the labels")
            if item.get("uid", uid) != uid:
                raise unreadable(doing, "a key in it is for another owner")
            code = number(item.get("code", DONE))
            if code == DONE:
                done.append({"label": label, "uid": uid, **item})
            else:
                refusals.append(Refusal(label, code, self._redactor.shown(item.get("message"))))
        return Created(tuple(self._keys(done, doing)), tuple(refusals))

    def _look(self, labels: Sequence[str], *, uid: str, error: KeyfleetError) -> Created:
        """The result of a create call whose answer was lost, from the list of keys."""
        existing: Dict[str, MarketplaceKey] = {}
        try:
            for seconds in _LOOKS:
                time.sleep(seconds)
                existing = self._labelled(uid)
                if all(label in existing for label in labels):
                    break
        except KeyfleetError as list_error:
            raise KeyfleetError(
                "api_answer_lost",
                f"{error.message} Whether the keys were created is unknown, because they cannot be listed either "
                f"({list_error.message}). Run again: existing keys are not created a second time.",
            ) from None
        made = tuple(existing[label] for label in labels if label in existing)
        if not made:
            raise KeyfleetError(error.code, f"{error.message} None of the keys exists.")
        return Created(made, tuple(Refusal(label, None, error.message) for label in labels if label not in existing))

    def _keys(self, items: Sequence[Mapping[str, Any]], doing: str) -> List[MarketplaceKey]:
        keys = [self._key(item, doing) for item in items]
        shown = {self.mage_id, *(text for key in keys for text in (key.label, key.uid, key.public_key))}
        self._shown |= {text.casefold() for text in shown}
        self._private_keys |= {key.private_key.casefold() for key in keys}
        if self._private_keys & self._shown or self._redactor.repeats(" ".join(shown)):
            raise unreadable(doing, "it has a secret in a field that results show")
        return keys

    def _key(self, item: Mapping[str, Any], doing: str) -> MarketplaceKey:
        label, public_key, private_key = (item.get(name, "") for name in ("label", "user_key", "password_key"))
        uid, enabled = item.get("uid", self.mage_id), item.get("is_enabled", True)
        texts = (label, uid, public_key, private_key)
        if not all(isinstance(text, str) and text for text in texts) or not isinstance(enabled, bool):
            raise unreadable(doing, "a key in it lacks label, owner, state or one of its halves")
        if max(len(text) for text in texts) > _LONGEST:
            raise unreadable(doing, f"a key in it has a field of more than {_LONGEST} characters")
        if not all(_HALF.match(half) for half in (public_key, private_key)):
            raise unreadable(doing, "half of a key in it has invalid characters")
        return MarketplaceKey(label, uid, public_key, enabled, private_key)

    def _call(self, method: str, path: str, *, doing: str, **content: Any) -> Any:
        """The JSON answer to a call below the account's URL; {} for an empty answer.

        The error has ``answer_lost`` in its details if the call may have been carried out nevertheless.
        """
        path = f"/users/{quote(self.mage_id, safe='')}/{path}"
        answer = self._send(method, path, doing=doing, auth=self._token, **content)
        if answer.status == 401:
            # The session may have expired. A second 401 is final.
            self._sign_in()
            answer = self._send(method, path, doing=doing, auth=self._token, **content)
        return self._content(answer, doing)

    def _sign_in(self) -> None:
        doing = "open a session"
        body = {"grant_type": "session", "expires_in": SESSION_SECONDS}
        answer = self._send("POST", "/app/session/token", doing=doing, auth=self._application, json=body)
        content = self._content(answer, doing, signing_in=True)
        token, mage_id = (content.get(name) if isinstance(content, dict) else None for name in ("ust", "mage_id"))
        if not isinstance(token, str) or not _TOKEN.match(token):
            raise unreadable(doing, "it has no session token", lost=False)
        if not isinstance(mage_id, str) or not mage_id.strip(".") or not _MAGE_ID.match(mage_id):
            raise unreadable(doing, "it has no MAGEID", lost=False)
        if self._mage_id not in ("", mage_id):
            raise unreadable(doing, "it is for another account than the previous session", lost=False)
        self._redactor.hide(token)
        if self._redactor.repeats(mage_id):
            raise unreadable(doing, "it has a secret instead of the MAGEID", lost=False)
        self._token, self._mage_id = _Bearer(token), mage_id

    def _send(self, method: str, path: str, *, doing: str, **content: Any) -> Answer:
        """The answer to a call, which is repeated if that is safe. ``content``: further arguments of the request."""
        limit = CALL_FACTOR * self._timeout
        until = time.monotonic() + limit
        repeats = 0

        def pause_before_retry(most: int, wait: float = 0.0) -> bool:
            """Whether to repeat the call; if so, returns after the pause."""
            wait = max(wait, _PAUSE * 2.0 ** (repeats - 1) if repeats else 0.0)
            if repeats >= most or wait > LONGEST_WAIT or time.monotonic() + wait >= until:
                return False
            time.sleep(wait)
            return True

        while True:
            try:
                answer = self._ask(until, method, path, doing, content)
                busy = method in REPEATABLE and answer.status in _BUSY
                if not busy or not pause_before_retry(_REPEATS, _requested_pause(answer.retry_after)):
                    return answer
            except (requests.RequestException, pool_errors.HTTPError, HTTPException, OSError, ValueError) as error:
                seconds = limit if time.monotonic() >= until else self._timeout
                repeatable = method in REPEATABLE or never_connected(error)
                if not repeatable or not pause_before_retry(_REPEATS_UNANSWERED):
                    raise unreachable(error, doing, url=self._base, timeout=seconds, redactor=self._redactor) from None
            repeats += 1

    def _ask(self, until: float, method: str, path: str, doing: str, content: Mapping[str, Any]) -> Answer:
        """Send one request, within the remaining time of the call."""
        session = self._session
        answers: List[Answer] = []

        def work() -> None:
            response = session.request(
                method,
                self._base + path,
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
                headers=_HEADERS,
                **content,
            )
            try:
                retry_after = response.headers.get("Retry-After") or ""
                answers.append(Answer(method, response.status_code, _body(response, doing), retry_after))
            finally:
                response.close()

        try:
            forget_key_log()
            in_time(work, until - time.monotonic())
        finally:
            if not answers:
                # A request that is still running keeps using the old session.
                session.close()
                self._session = _Session()
        return answers[0]

    def _content(self, answer: Answer, doing: str, *, signing_in: bool = False) -> Any:
        if not 200 <= answer.status < 300:
            raise refused(doing, answer.status, answer.body, answer.retry_after, self._redactor, signing_in=signing_in)
        if not answer.body and answer.method in ("PUT", "DELETE"):
            return {}
        try:
            return json_value(answer.body)
        except ValueError:
            raise unreadable(doing, "it is not JSON") from None


def _items(answer: Any, doing: str) -> List[Dict[str, Any]]:
    items = answer.get("m2") if isinstance(answer, dict) else None
    if items is None and isinstance(answer, dict) and set(answer) <= {"m1", "m2"}:
        # An account without keys. Any other object without a list, such as a maintenance page, is an error.
        items = []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise unreadable(doing, "it has no list of keys")
    return items


def _body(response: Any, doing: str) -> bytes:
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        if not 200 <= response.status_code < 300:
            return b""
        raise unreadable(doing, "it is compressed")
    body = bytearray()
    # Read from the response of http.client: urllib3 before 2.2 reads the size of a chunk without limit, and a chunk of
    # negative size until the end of the connection.
    source = response.raw._fp
    for piece in iter(lambda: source.read1(64 * 1024), b""):
        body += piece
        if len(body) > _MOST_BODY:
            raise unreadable(doing, f"it has more than {_MOST_BODY >> 20} MiB")
    length = response.headers.get("Content-Length", "")
    if _SIZE.match(length) and len(body) < int(length):
        raise IncompleteRead(b"", int(length) - len(body))
    # The body was read completely, so the connection can be reused.
    response.raw.release_conn()
    return bytes(body)


def _requested_pause(retry_after: str) -> float:
    """Seconds from a Retry-After header, a number or a date; 0 for anything else."""
    if re.match(r"[0-9]+\Z", retry_after):
        return float(retry_after)
    try:
        date = email.utils.parsedate_tz(retry_after)
        return email.utils.mktime_tz(date) - time.time() if date else 0.0
    except (ValueError, OverflowError, IndexError, TypeError, NameError):
        # The last three come from email.utils of Python 3.9 and older.
        return 0.0
