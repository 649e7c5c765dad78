# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans to test: few of the many that a problem has, of different kinds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Hashable
from pathlib import Path


def find_plans(
    ks_run: Path, options: list, get_kind: Callable[[str, dict[str, str]], Hashable | None]
) -> list[str]:
    """The plan that is ranked first of each kind. `get_kind` takes a plan and its fields; plans
    of kind None are left out."""
    command = [ks_run, *options, "--plans", "100000", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {}
    for plan in (entry["plan"] for entry in json.loads(done.stdout)):
        fields = dict(part.split(" = ")[:2] for part in plan.split(", ") if " = " in part)
        kind = get_kind(plan, fields)
        if kind is not None:
            found.setdefault(kind, plan)
    return list(found.values())


def spread(plans: list[str], count: int) -> list[str]:
    """So many of them, from the first to the last."""
    return plans[:: max(1, len(plans) // count)][:count]
