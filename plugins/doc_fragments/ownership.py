# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group and mode of credential files."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the modules that write credential files."""

    DOCUMENTATION = r"""
options:
  owner:
    description:
      - Owner of the files. The files of O(users) always belong to these users.
      - Defaults to the owner of the directory. In a directory owned by root, an existing file keeps its owner.
    type: str
  group:
    description:
      - Group of the files. If not set, an existing file keeps its group unless its owner changes or the directory
        belongs to neither this owner nor root.
    type: str
  mode:
    description:
      - Mode of the files, as a quoted octal number. It is also set on existing files.
      - A mode that gives others any access is an error.
      - New files and directories do not inherit ACLs.
    type: raw
    default: "0600"
notes:
  - When run as root, the module accesses each directory with the rights of its owner. It acts as root only if root
    owns that directory and all parent directories. A link is followed with the rights of its owner.
  - In directories of root that the group or everybody may write to, an existing file or link is used only if root or
    O(owner) owns it. If O(owner) is set, the directories below must be owned by root or by O(owner).
"""
