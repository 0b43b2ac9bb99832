# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for community.hashi_vault.vault_kv2_write: its options, without those of the connection, and when it says that
something has changed. The secrets are kept in the home."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "engine_mount_point": {"default": "secret"},
            "path": {"required": True},
            "data": {"type": "dict", "required": True, "no_log": True},
            "cas": {"type": "int"},
            "read_before_write": {"type": "bool", "default": False},
        }
    )
    path = Path.home() / "vault.json"
    secrets = json.loads(path.read_text()) if path.exists() else {}
    name = f"{module.params['engine_mount_point']}/{module.params['path']}"
    known = secrets.get(name) if module.params["read_before_write"] else None
    path.write_text(json.dumps({**secrets, name: module.params["data"]}))
    module.exit_json(changed=known != module.params["data"])


if __name__ == "__main__":
    main()
