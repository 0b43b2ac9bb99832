# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detection of pages, and pauses between attempts. tests/system tests transfers with the real curl."""

from __future__ import annotations

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.release import (
    delay_after,
    is_page,
    looks_like,
)


@pytest.mark.parametrize(
    ("name", "beginning", "expected"),
    [
        ("Magento-CE-2.4.8.zip", b"PK\x03\x04rest", True),
        ("empty.zip", b"PK\x05\x06", True),
        ("Magento-CE-2.4.8.ZIP", b"No such file or no access", False),
        ("magento-1.9.0.0.tar.gz", b"\x1f\x8b\x08", True),
        ("magento-1.9.0.0.tar.gz", b"PK\x03\x04", False),
        ("magento-1.9.0.0.tgz", b"", False),
        ("magento-1.9.0.0.tar.bz2", b"BZh9", True),
        ("magento-1.9.0.0.tar.bz2", b"<html>", False),
        ("PATCH_SUPEE-1_v1.sh", b"#!/bin/bash\n", True),
        ("PATCH_SUPEE-1_v1.sh", b"# no first line\n", True),
        ("PATCH_SUPEE-1_v1.sh", b"\n<!DOCTYPE html><title>Sign in", False),
        ("PATCH_SUPEE-1_v1.sh", b"<HTML>", False),
        ("notes.pdf", b"%PDF", True),
    ],
)
def test_first_bytes_of_an_archive(name: str, beginning: bytes, expected: bool) -> None:
    assert looks_like(name, beginning) is expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html", True),
        ("Text/HTML; charset=UTF-8", True),
        ("application/json", True),
        ("application/zip", False),
        ("application/octet-stream", False),
        ("text/x-sh", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_content_type_of_a_page(content_type: str, expected: bool) -> None:
    assert is_page(content_type) is expected


def test_delay_doubles_and_honours_retry_after() -> None:
    assert [delay_after(attempt, 1.0, "") for attempt in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert delay_after(1, 1.0, "30") == 30
    assert delay_after(1, 1.0, "86400") == 300
    assert delay_after(5, 1.0, "1") == 16
    assert delay_after(1, 1.0, "Wed, 21 Oct 2037 07:28:00 GMT") == 1


def test_delay_with_extreme_values() -> None:
    assert delay_after(1100, 1.0, "") == 60
    assert delay_after(1100, 1e308, "") == 60
    assert delay_after(1100, 0.0, "") == 0
    assert delay_after(1, 1.0, "9" * 5000) == 300
