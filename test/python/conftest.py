# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What several test files share."""

import pytest
from ks_arrays import CHAIN

import ks


@pytest.fixture(scope="module")
def function():
    """CHAIN in f32, compiled once per file."""
    return ks.compile(CHAIN)
