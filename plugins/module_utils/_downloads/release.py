# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install one release as a file: check the existing file, look up the release, download, verify, rename."""

from __future__ import annotations

import math
import os
import re
import time
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Callable, Dict, List, Mapping, Optional
from urllib.parse import quote as percent_encode
from urllib.parse import urlsplit

from .._argspec import absolute, bad_options, file_mode
from .._errors import KeyfleetError, Problem
from .._files.accounts import group_name, owner_and_group, owner_name, shown_ownership
from .._repository.outcome import Finding
from .curl import Body, Config, base_config, find_curl, run
from .feed import Release, find
from .file import LARGEST, Attributes, Destination, Facts, PartialFile, hasher, open_destination
from .source import Source, source_from
from .verdict import CurlEnd, excerpt, judge_page

_RETRIED = ("timed_out", "connection_lost", "connection_failed", "server_error", "rate_limited")
_LONGEST_WAIT = 300.0
# Seconds for a whole file, retries included: a day is enough for 350 MB at the slowest accepted rate.
_LONGEST_TRANSFER = 86400.0
# Bytes per second; below this rate curl gives up after ``timeout`` seconds.
_SLOWEST = 4096
# Bytes. For a file of unknown size, this much must be free each time that this much was received.
_ROOM = 64 * 1024**2
_MOST_HOPS = 3
_BEGINNING = 4096
# A size in a header; no file needs more digits.
_SIZE = re.compile(r"[0-9]{1,18}\Z")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})\Z")
# A strong entity tag (RFC 9110), ASCII only.
_TAG = re.compile(r'"[\x21\x23-\x7e]*"\Z')
_CHECKSUM = re.compile(r"([a-z0-9_-]+):([0-9a-fA-F]+)\Z")
_MAGIC = {
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".bz2": (b"BZh",),
    ".xz": (b"\xfd7zXZ",),
}


def delay_after(attempt: int, retry_delay: float, retry_after: str) -> float:
    """Seconds before the next attempt: ``retry_delay``, which doubles each time, or what the server asks for."""
    # The exponent is limited against overflow; 2 ** 16 is enough for any delay.
    wait = min(60.0, retry_delay * 2.0 ** min(attempt - 1, 16))
    if retry_after.isdecimal():
        wait = max(wait, float(retry_after))
    return min(wait, _LONGEST_WAIT)


def is_page(content_type: str) -> bool:
    """Whether a content type is that of a web page or JSON."""
    return content_type.split(";")[0].strip().lower() in ("text/html", "application/xhtml+xml", "application/json")


def looks_like(name: str, beginning: bytes) -> bool:
    """False if the first bytes cannot belong to an archive of that name."""
    for suffix, signs in _MAGIC.items():
        if name.lower().endswith(suffix):
            return beginning.startswith(signs)
    return not re.match(rb"\s*<(!doctype|html)", beginning, re.I)


class _FileBody(Body):
    """Writes the body to the partial file, unless it is something other than the file."""

    def __init__(self, part: PartialFile, name: str) -> None:
        super().__init__()
        self.part, self.name = part, name
        self.total: Optional[int] = None
        self.other = False
        self.too_large = False
        self._into_file = False

    def begin(self, headers: Dict[str, str]) -> None:
        """Start over at 200, resume at 206, and keep any other answer as text."""
        status = headers["status"]
        self.kept.clear()
        if status not in ("200", "206"):
            return
        found = _RANGE.match(headers.get("content-range", "")) if status == "206" else None
        goes_on = found is not None and int(found[1]) == self.part.size
        if is_page(headers.get("content-type", "")) or (status == "206" and not goes_on):
            self.other = True
            return
        if found is not None:
            self.total = int(found[2])
        else:
            self.part.cut()
            self.total = _length(headers)
        self._into_file = True
        self.too_large = self.total is not None and self.total > LARGEST
        if self.total is not None and not self.too_large:
            self.part.room_for(self.total - self.part.size)

    def add(self, piece: bytes) -> bool:
        """Some more of it."""
        if not self._into_file:
            self.kept += piece[: _BEGINNING - len(self.kept)]
            return len(self.kept) < _BEGINNING
        if self.part.size == 0 and piece and not looks_like(self.name, piece):
            self.other, self._into_file = True, False
            return self.add(piece)
        size = self.part.size + len(piece)
        self.too_large = self.too_large or size > (LARGEST if self.total is None else self.total)
        if self.too_large:
            return False
        if self.total is None and size // _ROOM > self.part.size // _ROOM:
            # An answer without length must not fill the disk.
            try:
                self.part.room_for(_ROOM)
            except KeyfleetError:
                self.part.cut()
                raise
        self.part.write(piece)
        return True


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _length(headers: Mapping[str, str]) -> Optional[int]:
    length = headers.get("content-length", "")
    return int(length) if _SIZE.match(length) else None


@dataclass
class ReleaseRun:
    """The requested release, and what is known about it so far."""

    source: Source
    file_name: str
    path: str
    checksum: Dict[str, str]
    attributes: Attributes
    force: bool
    retries: int
    # Seconds before the first retry.
    retry_delay: float
    problems: List[Problem] = field(default_factory=list)
    release: Optional[Release] = None
    # Number of requests for the file, and the byte at which the download was last resumed.
    transfer: Dict[str, int] = field(default_factory=lambda: {"requests": 0, "resumed_from": 0})
    # URL without query (which has a new signature each time) → entity tag.
    _tags: Dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The URL of the file."""
        # A plus sign needs no encoding in a path, and occurs in names.
        return f"{self.source.service.url}/file/{percent_encode(self.file_name, safe='+')}"

    def expected(self) -> Dict[str, str]:
        """Expected checksums by algorithm: the one in the options, and the MD5 of the feed."""
        sums = dict(self.checksum)
        if self.release is not None and self.release.md5 is not None:
            sums.setdefault("md5", self.release.md5)
        return sums

    def look_up(self) -> None:
        """Look up the file in the feed. An unlisted file may exist nevertheless."""
        self.release = find(self.source.releases(), self.file_name)
        if self.release is None:
            text = f"{self.file_name} is not in the feed, so no MD5 is known for it"
            self.problems.append(Problem("not_listed", text))
        elif self.release.md5 is not None:
            try:
                hasher("md5")
            except ValueError as exc:
                self.problems.append(Problem("no_md5", f"The MD5 of the feed cannot be checked: {exc}"))
                self.release = None

    def size(self) -> Optional[int]:
        """Size of the file as announced by the server, by a HEAD request. Raises `KeyfleetError`."""
        end = self._follow(lambda _url: [("head", None)], Body(), time.monotonic() + self.source.service.timeout)
        finding = self._judge(end)
        if finding is not None:
            raise self.source.failure(finding)
        content_type = end.headers.get("content-type", "")
        if is_page(content_type):
            what = f"{self.where} would send {self.source.quote(content_type)} instead of the file."
            raise self.source.failure(Finding("text_instead", what, http_status=end.http_status))
        return _length(end.headers)

    def get(self, part: PartialFile) -> None:
        """Download the file, with retries. Raises `KeyfleetError`; received bytes stay in ``part``."""
        # Only a tag from an answer to which ``part`` belongs is sent.
        self._tags.clear()
        until = time.monotonic() + _LONGEST_TRANSFER
        for attempt in count(1):
            if part.size:
                self.transfer["resumed_from"] = part.size
            body = _FileBody(part, self.file_name)
            end = self._follow(lambda url: self._transfer_config(part, url), body, until)
            self.transfer["requests"] += 1
            finding = self._finding(end, body, part)
            if finding is None:
                return
            wait = delay_after(attempt, self.retry_delay, end.headers.get("retry-after", ""))
            late = time.monotonic() + wait >= until
            if finding.code not in _RETRIED or attempt > self.retries or late:
                tries = f" It was tried {attempt} times." if attempt > 1 else ""
                raise KeyfleetError(finding.code, self.source.failure(finding).message + tries)
            time.sleep(wait)

    def _transfer_config(self, part: PartialFile, url: str) -> Config:
        silence = max(1, math.ceil(self.source.service.timeout))
        config: Config = [("speed-limit", str(_SLOWEST)), ("speed-time", str(silence))]
        if part.size:
            config.append(("range", f"{part.size}-"))
            tag = self._tags.get(_without_query(url))
            if tag:
                # If the file has changed, the server sends all of it rather than the rest.
                config.append(("header", f"If-Range: {tag}"))
        return config

    def _follow(self, extra: Callable[[str], Config], body: Body, until: float) -> CurlEnd:
        """Send a request, and follow redirects without credentials; ``until`` is the deadline for all of it."""
        source, url = self.source, self.where
        config = base_config(source.service, url, source.token)
        for _hop in range(1 + _MOST_HOPS):
            end = run(find_curl(), [*config, *extra(url)], limit=max(0.1, until - time.monotonic()), body=body)
            finding = judge_page(end, self.where, source.quote)
            if finding is None or finding.code != "redirected" or urlsplit(end.redirect_url).scheme != "https":
                break
            url = end.redirect_url
            config = base_config(source.service, url)
        if end.http_status == 200:
            tag = end.headers.get("etag", "")
            self._tags[_without_query(url)] = tag if _TAG.match(tag) else ""
        return end

    def _judge(self, end: CurlEnd) -> Optional[Finding]:
        finding = judge_page(end, self.where, self.source.quote)
        if finding is not None and finding.code == "wrong_address":
            what = f"There is no file {self.file_name} for this account (HTTP 404)."
            return Finding("not_offered", what, http_status=404)
        return finding

    def _finding(self, end: CurlEnd, body: _FileBody, part: PartialFile) -> Optional[Finding]:
        """The finding after a request; None if the file is complete."""
        quote = self.source.quote
        if body.too_large:
            part.cut()
            most = LARGEST if body.total is None else min(body.total, LARGEST)
            what = f"{self.where} sends more than {most} bytes."
            return Finding("too_large", what, http_status=end.http_status)
        if body.other:
            what = f'{self.where} sends something other than the file: "{excerpt(bytes(body.kept), quote)}".'
            return Finding("text_instead", what, http_status=end.http_status)
        if end.http_status == 416 and part.size:
            total = end.headers.get("content-range", "").rpartition("/")[2]
            if total == str(part.size):
                return None
            part.cut()
            return Finding("connection_lost", f"The partial file does not match {self.file_name}; it was discarded.")
        finding = self._judge(end)
        if finding is None and body.total is not None and part.size != body.total:
            what = f"{self.where} sent {part.size} of {body.total} bytes."
            return Finding("connection_lost", what, http_status=end.http_status)
        return finding


def _file_name(value: str) -> str:
    invalid = any(ord(char) < 33 or ord(char) > 126 or char in '/\\"{}[]?#%' for char in value)
    if not value or invalid or value.startswith(".") or value.startswith("-"):
        raise bad_options(f"file_name {value!r} is not the name of a release file")
    return value


def _destination(value: Any, file_name: str) -> str:
    path = absolute("dest", [value])[0]
    return os.path.join(path, file_name) if str(value).endswith("/") or os.path.isdir(path) else path


def _checksum(value: Optional[str]) -> Dict[str, str]:
    if value is None:
        return {}
    found = _CHECKSUM.match(value.strip())
    if found is None:
        raise bad_options(f"checksum {value!r} is not an algorithm with a hexadecimal checksum, as in sha256:0123...")
    algorithm, digits = found.group(1), found.group(2).lower()
    try:
        length = 2 * hasher(algorithm).digest_size
    except ValueError:
        raise bad_options(f"checksum: this host does not support the algorithm {algorithm!r}") from None
    if length != len(digits) or not length:
        raise bad_options(f"checksum: {algorithm} has {length} digits, but this one has {len(digits)}")
    return {algorithm: digits}


def _work(params: Mapping[str, Any]) -> ReleaseRun:
    file_name = _file_name(params["file_name"])
    if params["retries"] < 0 or not 0 <= params["retry_delay"] < float("inf"):
        raise bad_options("retries and retry_delay must not be negative")
    uid, gid = owner_and_group(params)
    rule = "owner must be able to read, others not to write"
    return ReleaseRun(
        source=source_from(params),
        file_name=file_name,
        path=_destination(params["dest"], file_name),
        checksum=_checksum(params["checksum"]),
        attributes=Attributes(uid, gid, file_mode(params["mode"], most=0o775, example="0644", rule=rule)),
        force=params["force"],
        retries=params["retries"],
        retry_delay=params["retry_delay"],
    )


def _is_current(work: ReleaseRun, destination: Destination) -> bool:
    """Whether the existing file is the requested one, determined with as few requests as possible."""
    if work.force or not destination.can_be_kept(destination.wanted(work.attributes, None)):
        return False
    if work.checksum:
        # With a checksum no request is needed.
        return destination.sums(list(work.checksum)) == work.checksum
    work.look_up()
    sums = work.expected()
    if sums:
        return destination.sums(list(sums)) == sums
    size = work.size()
    wanted = destination.wanted(work.attributes, size)
    # Another file of that size must not be given to a new owner or group.
    same = destination.facts == wanted or (size == destination.facts.size and destination.is_chosen_by(wanted.uid))
    if same:
        text = f"No checksum is known for {work.file_name}; only its size was compared"
        work.problems.append(Problem("size_only", text, work.path))
    return same


def _fetch(work: ReleaseRun, destination: Destination, wanted: Facts) -> Facts:
    """Download, verify and rename the file. On `KeyfleetError` the previous file is unchanged."""
    with destination.part(wanted.uid, lock_timeout=work.source.service.timeout) as part:
        sums = work.expected()
        if part.size and not sums:
            # Without a checksum, an earlier partial file cannot be verified.
            part.cut()
        for last in (False, True):
            started_with = part.size
            try:
                work.get(part)
            except KeyfleetError:
                if part.size == 0:
                    part.discard()
                raise
            found = part.sums(list(sums))
            wrong = next((name for name in sums if found[name] != sums[name]), None)
            if wrong is None:
                break
            part.cut()
            if last or not (started_with or work.transfer["requests"] > 1):
                part.discard()
                source = "the option checksum" if wrong in work.checksum else "the feed"
                raise KeyfleetError(
                    "checksum_mismatch",
                    f"{work.file_name} has the {wrong} {found[wrong]}, but {source} has {sums[wrong]}. "
                    f"The download was discarded; {work.path} was not changed.",
                )
        part.put_in_place(wanted)
    return replace(wanted, size=part.size)


def install_release(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Install the release. Returns the result that the module documents. Raises `KeyfleetError`."""
    work = _work(params)
    try:
        with open_destination(work.path, work.attributes.uid) as destination:
            return _install(work, destination, check_mode=check_mode)
    except KeyfleetError as error:
        error.problems = (*work.problems, *error.problems)
        error.details.update(release=work.release and work.release.as_result(), transfer=work.transfer)
        raise


def _install(work: ReleaseRun, destination: Destination, *, check_mode: bool) -> Dict[str, Any]:
    before = destination.facts
    if destination.location.missing:
        missing = Problem("no_directory", f"The directory {os.path.dirname(work.path)} does not exist", work.path)
        if not check_mode:
            raise KeyfleetError(missing.code, missing.message)
        work.problems.append(missing)
    current = _is_current(work, destination)
    size = before.size
    if not current:
        if work.release is None and not any(p.code in ("not_listed", "no_md5") for p in work.problems):
            work.look_up()
        size = work.size() if check_mode else None
    after = destination.wanted(work.attributes, size)
    if not check_mode and not current:
        after = _fetch(work, destination, after)
    elif not check_mode and before != after:
        destination.repair(after)
    return _result(work, destination.location.real_path, before, after, current=current)


def _result(work: ReleaseRun, real_path: str, before: Facts, after: Facts, *, current: bool) -> Dict[str, Any]:
    action = "created"
    if before.exists:
        action = "updated" if not current else "unchanged" if before == after else "repaired"
    changed = action != "unchanged"
    row = {
        "path": work.path,
        "real_path": real_path,
        "file_name": work.file_name,
        "owner": owner_name(after.uid),
        "action": action,
        "before": _view(before) if before.exists else None,
        "after": _view(after),
    }
    diff = {
        "before_header": work.path + ("" if before.exists else " (absent)"),
        "after_header": work.path,
        "before": _text(before) if before.exists else "",
        "after": _text(after) + (f"{work.file_name}\n" if not current else ""),
    }
    return {
        "changed": changed,
        "files": [row],
        "release": work.release and work.release.as_result(),
        "checksums": work.expected(),
        "transfer": work.transfer,
        "problems": [problem.as_result() for problem in work.problems],
        "diff": [diff] if changed else [],
    }


def _view(facts: Facts) -> Dict[str, Any]:
    return {"size": facts.size, **shown_ownership(facts.uid, facts.gid, facts.mode)}


def _text(facts: Facts) -> str:
    size = "unknown size" if facts.size is None else f"{facts.size} bytes"
    return f"{owner_name(facts.uid)}:{group_name(facts.gid)} {facts.mode or 0:04o}\n{size}\n"
