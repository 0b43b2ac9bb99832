# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of the key API: several may be active at once, each with its own lifetime."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from .accounts import Account
from .world import World

PART = "marketplace"


def _sessions(world: World) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = world.part(PART).setdefault("sessions", {})
    return found


def begin(world: World, account: Account, application: str, seconds: int) -> str:
    """Opens a session and returns its token: made up, and the same for the same calls."""
    kept = world.part(PART)
    kept["session"] = number = kept.get("session", 0) + 1
    token = f"made-up-session-{number}." + hashlib.sha256(f"session/{number}".encode()).hexdigest()[:20]
    _sessions(world)[token] = {
        "account": account.name,
        "application": application,
        "until": time.time() + seconds,
        "requests": world.switches.number("api_session_requests"),
        "used": 0,
    }
    world.hide(token)
    world.touch()
    return token


def application_of(world: World, token: str) -> str | None:
    """The application ID that opened the session, expired or not."""
    session = _sessions(world).get(token)
    return session["application"] if session else None


def use(world: World, token: str, environment: str) -> Account | None:
    """Counts a use of the session and returns its account; None unless the session is active in this environment."""
    session = _sessions(world).get(token)
    if session is None or time.time() >= session["until"]:
        return None
    account = world.accounts.get(session["account"])
    if account is None or account.environment != environment:
        return None
    if session["requests"] and session["used"] >= session["requests"]:
        return None
    session["used"] += 1
    return account


def expire_all(world: World) -> int:
    """Ends every session and returns the number of active ones."""
    sessions = _sessions(world)
    active = [session for session in sessions.values() if session["until"] > time.time()]
    for session in active:
        session["until"] = 0
    return len(active)
