# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Execute a plan at the Marketplace; options that the Marketplace modules share."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible.module_utils.basic import env_fallback

from .._argspec import ArgumentSpec, address, bad_options, file_path, seconds
from .._errors import KeyfleetError
from .client import ADDRESSES, Created, Marketplace
from .plan import (
    KeyPlan,
    MarketplaceKey,
    check_label,
    diff_of,
    key_row,
    matches,
    plan_keys,
    refusals_in_words,
    step_row,
    unknown_labels,
)


def marketplace_spec(*, required: bool = True) -> ArgumentSpec:
    """The API options. ``required``: whether the application must be named."""
    # raw: other types must be refused, not converted to text or quoted in a conversion error.
    half = {"type": "raw", "required": required}
    return {
        "application_id": {**half, "fallback": (env_fallback, ["MAGENTO_APPLICATION_ID"])},
        "application_secret": {**half, "no_log": True, "fallback": (env_fallback, ["MAGENTO_APPLICATION_SECRET"])},
        "environment": {"type": "str", "choices": sorted(ADDRESSES), "default": "production"},
        "api_url": {"type": "str", "fallback": (env_fallback, ["MAGENTO_API_URL"])},
        "ca_path": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "timeout": {"type": "float", "default": 30.0},
    }


def open_marketplace(params: Mapping[str, Any]) -> Marketplace:
    """A client for the options of `marketplace_spec`. Nothing is sent yet."""
    for name in ("application_id", "application_secret"):
        value = params[name]
        if not isinstance(value, str):
            raise bad_options(f"{name} is not text")
        if not value or not value.isprintable() or value != value.strip():
            raise bad_options(f"{name} is empty, or has blanks around it or characters that cannot be printed")
    if ":" in params["application_id"]:
        raise bad_options("application_id has a colon, which HTTP Basic forbids in a user name")
    return Marketplace(
        # CI and credential types set an unused environment variable to the empty string.
        api_url=address(params["api_url"] or None, name="api_url") or ADDRESSES[params["environment"]],
        application_id=params["application_id"],
        application_secret=params["application_secret"],
        timeout=seconds(params["timeout"]),
        ca_path=file_path("ca_path", params["ca_path"]),
        validate_certs=params["validate_certs"],
    )


def wanted_labels(value: Optional[Sequence[Any]]) -> List[str]:
    """The checked labels of an option, without duplicates. Blanks are part of a label."""
    if value is None:
        return []
    labels = [str(label) for label in value]
    if not labels:
        raise bad_options("labels is an empty list")
    for label in labels:
        check_label(label)
    return list(dict.fromkeys(labels))


def owner_of(value: Optional[str], client: Marketplace) -> str:
    """The one owner whose keys are meant. Keys with the same label of other owners are never changed."""
    if value is not None and (not value.strip() or value == "all"):
        raise bad_options(f"uid {value!r} is not an owner; omit it for the account itself")
    return value or client.mage_id


def ensure_keys(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Bring the labels in ``params`` to the requested state, with one list request and at most one create request.

    Returns the result that the module documents. Raises `KeyfleetError` with the changes made until then in its
    details, under ``changed`` and ``marketplace_keys``.
    """
    with open_marketplace(params) as client:
        labels = wanted_labels(params["labels"])
        uid = owner_of(params["uid"], client)
        plan = plan_keys(
            client.keys(uid=uid),
            labels=labels,
            uid=uid,
            present=params["state"] == "present",
            enabled=params["enabled"],
            delete_enabled=params["delete_enabled"],
        )
        now = _carry_out(client, plan) if plan.changed and not check_mode else {}
    return {
        "changed": plan.changed,
        "marketplace_keys": [step_row(step, uid, now.get(step.label)) for step in plan.steps],
        "diff": diff_of(plan),
    }


def _carry_out(client: Marketplace, plan: KeyPlan) -> Dict[str, Optional[MarketplaceKey]]:
    """Execute a plan. Returns every changed key by label, None for a deleted one.

    After refused creations the other labels are still processed; any other failure ends the plan. Both raise
    `KeyfleetError` with all changes made.
    """
    now: Dict[str, Optional[MarketplaceKey]] = {}
    made = Created((), ())
    try:
        if plan.create:
            made = client.create(plan.create, uid=plan.uid)
            now.update((key.label, key) for key in made.keys)
        for step in plan.switch:
            if step.existing is not None and step.enabled is not None:
                client.set_enabled(step.label, uid=plan.uid, enabled=step.enabled)
                now[step.label] = replace(step.existing, enabled=step.enabled)
        for label in plan.delete:
            client.delete(label, uid=plan.uid)
            now[label] = None
        if made.refusals:
            raise KeyfleetError("keys_not_created", refusals_in_words(made.refusals, asked=len(plan.create)))
    except KeyfleetError as error:
        error.details = {
            "changed": bool(now),
            "marketplace_keys": [step_row(step, plan.uid, now[step.label]) for step in plan.steps if step.label in now],
            "refusals": [asdict(refusal) for refusal in made.refusals],
        }
        raise
    return now


def list_keys(params: Mapping[str, Any]) -> Dict[str, Any]:
    """The result of the info module: the keys that match the filters in ``params``, from one list request."""
    with open_marketplace(params) as client:
        filters = {**params, "uid": params["uid"] or "all", "labels": wanted_labels(params["labels"]) or None}
        keys = [key for key in client.keys(uid=filters["uid"]) if matches(key, filters)]
        rows = [key_row(key, include_private_key=params["include_private_keys"]) for key in keys]
        return {"changed": False, "mage_id": client.mage_id, "marketplace_keys": rows}


def pairs_by_label(params: Mapping[str, Any], labels: Sequence[Any]) -> List[Dict[str, Any]]:
    """The pair of each label, private keys included. Raises `KeyfleetError` ``unknown_label``."""
    with open_marketplace(params) as client:
        wanted = wanted_labels(labels)
        owner = owner_of(params["uid"], client)
        found = {key.label: key for key in client.keys(uid=owner) if key.uid == owner}
    unknown = [label for label in wanted if label not in found]
    if unknown:
        raise KeyfleetError("unknown_label", unknown_labels(unknown, owner=owner, known=found))
    return [key_row(found[str(label)], include_private_key=True) for label in labels]
