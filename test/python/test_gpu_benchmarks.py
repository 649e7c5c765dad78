# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What of the benchmarks for GPUs needs no GPU: cases, names of layers, pages."""

import argparse
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu_cases
import gpu_graph_table
import gpu_graphs
import gpu_processes
import gpu_table
import gpu_unseen
from gpu_cases import BATCH, KINDS, Case


@pytest.mark.parametrize(
    ("batch", "is_fixed", "name"),
    [
        (BATCH, False, "6,64,64,1-f16-first.ks"),
        (BATCH, True, "6,64,64,1-f16-first.ks"),
        (512, False, "6,64,64,1-f16-first-any.ks"),
        (512, True, "6,64,64,1-f16-first-512.ks"),
    ],
)
def test_layers_are_named_after_their_batch(batch, is_fixed, name):
    case = Case((6, 64, 64, 1), batch, KINDS["f16"], "first", is_fixed)
    assert case.artifact == name


def test_unseen_patterns_are_what_they_were():
    patterns = gpu_unseen.UNSEEN_PATTERNS
    assert len(set(patterns)) == len(patterns) == 40
    assert patterns[:2] == [(2, 488, 328, 3), (2, 9, 462, 8)]
    assert patterns[-2:] == [(5, 33, 538, 19), (2, 10, 11, 67)]
    assert all(map(gpu_unseen.is_aligned, patterns[:30]))
    assert all(map(gpu_unseen.is_odd, patterns[30:]))
    for a, b, c, d in patterns:
        assert max(b, c) <= 1024
        assert a * d * max(b, c) <= gpu_unseen.MAX_FEATURES


def test_unseen_batches_are_small_enough():
    for pattern in gpu_unseen.UNSEEN_PATTERNS:
        for kind in KINDS:
            case = gpu_unseen.make_unseen_case(pattern, kind, "last")
            assert case.array_bytes <= gpu_unseen.MAX_BYTES
            assert case.batch == BATCH or case.batch % gpu_unseen.BATCH_STEP == 0


def make_row(case: Case, ks_ms: float, bmm_ms: float) -> gpu_cases.Row:
    row = dict.fromkeys(gpu_cases.FIELDS, "")
    row.update(pattern=case.name, batch=str(case.batch), type=case.kind.name, layout=case.layout)
    row.update(status="ok", floor_ms="1", ks_ms=str(ks_ms), bmm_ms=str(bmm_ms), ks_error="0.5")
    gpu_cases.finish_row(row)
    return row


def test_the_page_of_unseen_patterns(tmp_path):
    cases = [
        gpu_unseen.make_unseen_case(pattern, "f32", "first")
        for pattern in gpu_unseen.UNSEEN_PATTERNS
    ]
    rows = [make_row(case, 2, 5) for case in cases[:30]]
    rows += [make_row(case, 8, 4) for case in cases[30:]]
    for row in rows:
        gpu_cases.append_row(tmp_path / "rows.csv", row)
    read = list(gpu_cases.read_rows(tmp_path / "rows.csv").values())
    assert read == rows
    gpu_table.write_unseen(read, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    first = cases[0].name
    assert f"| f32 | first | aligned | 30 of 30 | 2.00 | 5.00 | **2.50** | 2.00 ({first}) |" in page
    assert "| f32 | first | odd | 10 of 10 | 8.00 | 4.00 | **0.50** |" in page
    assert "| 10 of 10 |" in page
    assert "| (51,99,122,8), batch 22144 |" in page


def make_graph_row(case: Case, ks_us: float, status: str = "ok") -> gpu_cases.Row:
    row = dict.fromkeys(gpu_graphs.FIELDS, "")
    row.update(pattern=case.name, batch=str(case.batch), type=case.kind.name, layout=case.layout)
    row.update(status=status, floor_us="1", bmm_us="8", einsum_us="6", weights_in_l2="yes")
    row.update(ks_us=str(ks_us) if status == "ok" else "", weight_bytes="1000")
    gpu_graphs.finish_row(row)
    return row


def test_the_page_of_graphs(tmp_path):
    cases = gpu_graphs.make_graph_cases("f16", "first")
    assert len(cases) == 36 * 5
    rows = [make_graph_row(case, 3) for case in cases]
    gpu_graph_table.write_table(rows, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "| f16 | first | 8 | in L2 | 36 of 36 | 1 | 3 | 2 | 8 | 6 | – | **0.50** |" in page
    assert "No case is slower" in page
    rows[0] = make_graph_row(cases[0], 12)
    gpu_graph_table.write_table(rows, tmp_path / "page.md")
    assert f"- f16 first ({cases[0].name}), batch 1: 2.00" in (tmp_path / "page.md").read_text()


def test_what_the_csv_holds_is_done(tmp_path):
    """But for cases without a layer, once there is one."""
    cases = gpu_graphs.make_graph_cases("f32", "last")[:3]
    fields = gpu_graphs.FIELDS
    args = argparse.Namespace(
        csv=tmp_path / "rows.csv", fields=fields, artifacts=tmp_path, runtime=tmp_path
    )
    assert gpu_processes.find_todo(args, cases) == cases
    for case, status in zip(cases, ("ok", "no artefact")):
        gpu_cases.append_row(args.csv, make_graph_row(case, 3, status), fields)
    assert gpu_processes.find_todo(args, cases) == cases[2:]
    (tmp_path / cases[1].artifact).touch()
    assert gpu_processes.find_todo(args, cases) == cases[1:]
