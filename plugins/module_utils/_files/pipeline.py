# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install entries in credential files: read the files, plan their content, write it or predict it, describe the result.

Keys and download tokens share these steps. Each has a kind of `Target`, which knows the format of its file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Generic, Iterator, List, Optional, Sequence, Tuple, TypeVar

from .._errors import KeyfleetError, MalformedFile, Problem
from .accounts import Account, account, group_name, own_account, owner_name
from .path import Access
from .read import predict, read_each
from .state import Change, FileState, Ownership, Wanted

Row = Dict[str, Any]
# Describes the entry of a repository or machine in the content of a file.
Entry = Callable[[bytes], Row]
# A path, and the uid of the user whose data named it, if any.
TargetId = Tuple[str, Optional[int]]


@dataclass(frozen=True)
class Target:
    """A file that shall hold entries. ``walk_as`` and ``directory_owners``: as in `Wanted`.

    ``broken`` holds the malformed content that may be overwritten.
    """

    path: str
    ownership: Ownership = Ownership()
    user: Optional[Account] = None
    walk_as: Optional[int] = None
    directory_owners: Optional[Tuple[int, ...]] = None
    broken: Optional[bytes] = field(default=None, repr=False)

    makes_directory = False  # a missing directory is created in the home of the user

    def edited(self, data: Optional[bytes]) -> Optional[bytes]:
        """The wanted content, see `Transform`."""
        raise NotImplementedError

    def creates(self) -> bool:
        """Whether the file is created if it is missing."""
        raise NotImplementedError

    def malformed(self, reason: MalformedFile) -> str:
        """The message for a file that cannot be edited."""
        raise NotImplementedError

    def rows(self, before: FileState, after: FileState) -> List[Row]:
        """The elements of ``files``, one for each entry."""
        raise NotImplementedError

    def text_for_diff(self, data: bytes, was: Optional[bytes]) -> str:
        """The content without secrets. ``was``: the content before the change."""
        raise NotImplementedError

    @property
    def which(self) -> TargetId:
        """The identity of the target."""
        return self.path, self.walk_as

    @property
    def access(self) -> Access:
        """The rights with which the path is opened."""
        return Access(self.ownership.uid, self.walk_as)

    def wanted(self) -> Wanted:
        """The request to write the file."""
        return Wanted(
            path=self.path,
            transform=self.edited,
            ownership=self.ownership,
            make_directory=self.makes_directory and self.user is not None,
            user=None if self.user is None else self.user.uid,
            walk_as=self.walk_as,
            directory_owners=self.directory_owners,
        )

    def owner_of(self, state: FileState) -> Optional[str]:
        """The name of the file's owner. In check mode, the user may have no uid yet."""
        if state.uid is None and state.data is not None and self.user is not None:
            return self.user.name
        return owner_name(state.uid)

    def row(self, before: FileState, after: FileState, entry: Entry, *, of: Row, present: bool, changes: bool) -> Row:
        """One element of ``files``: for the entry ``of`` a repository or machine, which ``entry`` describes.

        ``changes``: the edit changes the entry if it changes the file. ``present``: the edit does not remove it.
        """
        old, new = (None if one.data is None else self._view(one, entry(one.data)) for one in (before, after))
        action = "unchanged"
        if new is not None and old is None:
            action = "created"
        elif after.data != before.data and changes:
            action = "updated" if present else "removed"
        elif (before.uid, before.gid, before.mode) != (after.uid, after.gid, after.mode):
            action = "repaired"
        return {
            "path": self.path,
            "real_path": after.real_path,
            **of,
            "owner": (new or old or {}).get("owner"),
            "action": action,
            "before": old,
            "after": new,
        }

    def _view(self, state: FileState, entry: Row) -> Row:
        mode = None if state.mode is None else f"{state.mode:04o}"
        return {**entry, "owner": self.owner_of(state), "group": group_name(state.gid), "mode": mode}

    def difference(self, before: FileState, after: FileState) -> Dict[str, str]:
        """The diff for Ansible: owner and mode in the first line, then the content without secrets."""

        def text(state: FileState, was: Optional[bytes]) -> str:
            if state.data is None:
                return ""
            owner = f"{self.owner_of(state)}:{group_name(state.gid) or '?'} {state.mode or 0:04o}\n"
            return owner + self.text_for_diff(state.data, was)

        return {
            "before_header": self.path + ("" if before.data is not None else " (absent)"),
            "after_header": self.path,
            "before": text(before, None),
            "after": text(after, before.data),
        }

    def predicted(self) -> Change:
        """The change of a file of a user or home that does not exist yet."""
        before = FileState(self.path, self.path, None, None, None, None, missing_directories=1)
        data, owner = self.edited(None), self.ownership
        after = before if data is None else before._replace(data=data, uid=owner.uid, gid=owner.gid, mode=owner.mode)
        return Change(self.wanted(), before, after)

    def exposed(self, state: FileState) -> List[Problem]:
        """The problem of a file that everybody could read before it was repaired."""
        if state.mode is None or not state.mode & 0o007:
            return []
        text = f"{self.path} had mode {state.mode:04o}: everybody on the host could read it. Its mode is repaired, but "
        return [Problem("readable_by_others", f"{text}the credentials in it should be replaced", self.path)]


T = TypeVar("T", bound=Target)


@dataclass
class Targets(Generic[T]):
    """The target files. ``missing``: those of users that do not exist or have no home."""

    targets: Dict[TargetId, T] = field(default_factory=dict)
    missing: Dict[TargetId, T] = field(default_factory=dict)
    problems: List[Problem] = field(default_factory=list)


def default_account(purpose: str) -> Account:
    """The current user, for a task that names no target. Root must be named. ``purpose``: why a user is needed."""
    if os.geteuid() == 0:
        raise KeyfleetError(
            "no_target",
            f"The module runs as root, and no target is set: name the user {purpose} (users: [root] if it really is "
            "root), or set another target",
        )
    return own_account()


def named_accounts(
    names: Sequence[str], *, present: bool, check_mode: bool, problems: List[Problem]
) -> Iterator[Tuple[Account, bool]]:
    """Yield the account for each name in the option ``users``, and whether user and home exist.

    A missing one is a `KeyfleetError`, or else a problem: in check mode an earlier task may create the user, and
    without a user there is nothing to remove. The uid of an unknown user is -1.
    """
    for name in names:
        user = account(name)
        if user and os.path.isdir(user.home):
            yield user, True
            continue
        missing = (
            Problem("unknown_user", f"users: this host has no user {name!r}")
            if user is None
            else Problem("no_home", f"users: the home of {name}, {user.home}, does not exist")
        )
        if present and not check_mode:
            raise KeyfleetError(missing.code, missing.message)
        problems.append(missing)
        yield user or Account(name, -1, -1, f"~{name}"), False


def future_ownership(user: Account, gid: Optional[int], mode: int) -> Ownership:
    """The ownership of a file of a user or home that does not exist yet."""
    if user.uid < 0:
        return Ownership(gid=gid, mode=mode)
    return Ownership(uid=user.uid, gid=user.gid if gid is None else gid, mode=mode)


def read_all(
    targets: Sequence[T], parse: Callable[[bytes], object], *, check_mode: bool, replace_malformed: bool = False
) -> List[Tuple[T, FileState]]:
    """Read every file before any is written. One `KeyfleetError` reports all files that cannot be used."""
    seen = dict(read_each({target.which: (target.path, target.access) for target in targets}, parse))
    readings: List[Tuple[T, FileState]] = []
    problems: List[Problem] = []
    for target in targets:
        state, malformed, error = seen[target.which]
        if state is None:
            error = error or KeyfleetError("read_failed", f"{target.path} was not read")
            problems.append(Problem(error.code, error.message, target.path))
        elif malformed and not replace_malformed:
            problems.append(Problem("malformed_file", target.malformed(malformed), target.path))
        elif target.creates() and not (state.directory_exists or check_mode or target.wanted().make_directory):
            text = f"{os.path.dirname(target.path)} does not exist, so {target.path} cannot be written"
            problems.append(Problem("no_directory", text, target.path))
        else:
            # Any other writer had time to finish. Only these bytes are overwritten: the write compares them again.
            readings.append((replace(target, broken=state.data) if malformed else target, state))
    if problems:
        text = ". ".join(problem.message.rstrip(".") for problem in problems)
        raise KeyfleetError(problems[0].code, f"No file was touched. {text}", problems=problems)
    return readings


def refuse(
    stop: Optional[KeyfleetError], readings: Sequence[Tuple[T, FileState]], found: Targets[T], **reached: Any
) -> None:
    """Raise ``stop``, if any, before a file is changed. ``reached``: other elements of the result."""
    if stop:
        files = [row for target, state in readings for row in target.rows(state, state)]
        raise KeyfleetError(stop.code, stop.message, problems=found.problems, files=files, **reached)


def predict_all(readings: Sequence[Tuple[T, FileState]]) -> List[Change]:
    """The changes that `apply_all` would make. Several paths may lead to one file and see each other's changes."""
    done: Dict[str, FileState] = {}
    changes = []
    for target, state in readings:
        earlier = done.get(state.real_path)
        if earlier is not None:
            state = state._replace(data=earlier.data, uid=earlier.uid, gid=earlier.gid, mode=earlier.mode)
        try:
            change = predict(state, target.wanted())
        except MalformedFile as malformed:
            text = f"{target.path} cannot be written: {malformed}"
            raise KeyfleetError("malformed_file", text) from None
        done[state.real_path] = change.after
        changes.append(change)
    return changes


def apply_all(readings: Sequence[Tuple[T, FileState]], found: Targets[T], **reached: Any) -> List[Change]:
    """Write all files. A `KeyfleetError` has the changes made until then in its details, besides ``reached``."""
    try:
        planned = predict_all(readings)
        if not any(change.changed or change.before.left_over for change in planned):
            return planned
        from .write import carry_out  # on use: most runs change nothing

        return carry_out(planned)
    except KeyfleetError as error:
        done: Sequence[Change] = error.details.get("done", ())  # type: ignore[assignment]
        changes = {change.which: change for change in done}
        made = [(target, changes[target.which]) for target, _state in readings if target.which in changes]
        raise KeyfleetError(
            error.code,
            error.message,
            problems=(*found.problems, *error.problems),
            changed=any(change.changed for change in done),
            files=[row for target, change in made for row in target.rows(change.before, change.after)],
            **reached,
        ) from error


def result_of(
    targets: Sequence[T], changes: Sequence[Change], found: Targets[T], further: Sequence[Problem] = (), **reached: Any
) -> Dict[str, Any]:
    """The result that the modules document. ``further``: problems that follow those of the files."""
    pairs = [*zip(targets, changes), *((target, target.predicted()) for target in found.missing.values())]
    exposed = [problem for target, change in pairs for problem in target.exposed(change.before)]
    problems = dict.fromkeys([*found.problems, *exposed, *further])
    return {
        "changed": any(change.changed for _target, change in pairs),
        "files": [row for target, change in pairs for row in target.rows(change.before, change.after)],
        "problems": [problem.as_result() for problem in problems],
        "diff": [target.difference(change.before, change.after) for target, change in pairs if change.changed],
        **reached,
    }
