# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces awx.awx.credential_type: its options, without those of the connection. The types are stored in the home."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"required": True},
            "description": {},
            "kind": {"choices": ["ssh", "vault", "net", "scm", "cloud", "insights"]},
            "inputs": {"type": "dict"},
            "injectors": {"type": "dict"},
            "state": {"choices": ["present", "absent"], "default": "present"},
        }
    )
    wanted = dict(module.params)
    if wanted.pop("state") != "present":
        module.fail_json(msg="this stand-in only creates")
    path = Path.home() / "credential-types.json"
    types = json.loads(path.read_text()) if path.exists() else {}
    changed = types.get(wanted["name"]) != wanted
    path.write_text(json.dumps({**types, wanted["name"]: wanted}))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
