# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What of the benchmark of chains needs no GPU: cases, floors, names of layers, pages."""

import argparse
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu_cases
import gpu_chain_cases
import gpu_chain_table
import gpu_chains
import gpu_processes
import make_gpu_artifacts
from gpu_cases import KINDS
from gpu_chain_cases import CHAINS, FIELDS, GROUPING_FIELDS, MAIN_CHAINS, ChainCase

MONARCH, KRON, DYADIC = "monarch sqrt N=1024", "kron 32x32 tied", "dyadic 1024"


def make_case(title: str, batch: int = 4096, kind: str = "f16", layout: str = "first") -> ChainCase:
    return ChainCase(title, batch, KINDS[kind], layout)


def test_names_of_chains_stay_apart_in_names_of_files():
    slugs = [gpu_chain_cases.make_slug(title) for title in CHAINS]
    assert len(set(slugs)) == len(slugs)
    assert set(MAIN_CHAINS) <= set(CHAINS)
    assert len(set(MAIN_CHAINS)) == 10


@pytest.mark.parametrize("title", CHAINS)
def test_sizes_of_neighbours_agree(title):
    for (a, b, _, d), (a1, _, c1, d1) in zip(CHAINS[title], CHAINS[title][1:]):
        assert a * b * d == a1 * c1 * d1


def test_layers_are_named_after_chain_batch_and_variant():
    case = make_case("vit_b/gpt2 up 768->3072 monarch4")
    stem = "vit-b-gpt2-up-768-3072-monarch4-f16-first-4096"
    assert list(case.layers) == [f"{stem}-exact.ks", f"{stem}-free.ks"]
    exact, free = case.layers.values()
    assert exact[:2] == ["--chain", "4,192,192,1;1,768,192,4"]
    assert "--tied" not in exact
    assert free == [*exact, "--frozen", "--reassoc"]


def test_weights_of_kronecker_products_are_tied():
    case = make_case(KRON)
    assert case.weight_shapes == [(1, 32, 32, 1), (1, 32, 32, 1)]
    options = case.options
    assert options[options.index("--tied") + 1] == "a;d"
    big = make_case("kron 8^5 (FastKron)").options
    assert big[big.index("--tied") + 1] == "a;ad;ad;ad;d"


def test_floors_count_input_output_and_stored_weights_once():
    case = make_case(MONARCH)
    assert case.weight_bytes == 2 * 2 * 32**3
    assert case.bytes == 2 * (4096 * 1024 * 2) + case.weight_bytes
    assert case.flops == 2 * 4096 * 2 * 32**3
    # Tied weights are few bytes, but as many products.
    tied = make_case(KRON)
    assert tied.flops == case.flops
    assert tied.weight_bytes == 2 * 2 * 32 * 32
    # What h100_chains says of the same: 5.6 us at 3 TB/s.
    assert case.bytes / 3.02e12 * 1e6 == pytest.approx(5.6, abs=0.05)


def test_small_batches_are_measured_in_graphs():
    assert [make_case(MONARCH, batch).is_graph for batch in (1, 512, 513)] == [True, True, False]


PLANS = """
  func.func @chain(%arg0: tensor<4x1024xf16>) {
    %1 = call @chain_pack(%arg1) : (tensor<32x32x32x1xf16>) -> tensor<32768xf16>
  }
  func.func private @chain_packed(%arg0: tensor<4x1024xf16>, %arg1: tensor<32768xf16>) {
    KERNELS
  }
  func.func @chain_pack(%arg0: tensor<32x32x32x1xf16>) {
    %0 = ks.pack_weights <32, 32, 32, 1> into #ks.gpu_packing<n = 64> ins(%arg0)
  }
"""


@pytest.mark.parametrize(
    ("kernels", "text"),
    [
        (["matmul <32, 32, 32, 1> ", "matmul <1, 32, 32, 32> "], "apart 2"),
        (["chain [<32, 32, 32, 1>, <1, 32, 32, 32>] fastmath<reassoc>"], "fused 2"),
        (["matmul <1, 1024, 1024, 1> "], "dense"),
    ],
)
def test_what_became_of_two_factors(kernels, text):
    body = "\n".join(
        f"%{at} = ks.{kernel} ins(%x) plan #ks.gpu_plan<warps = [4, 1, 1]>"
        for at, kernel in enumerate(kernels)
    )
    summary = gpu_chain_cases.summarize_ir(CHAINS[MONARCH], PLANS.replace("KERNELS", body))
    assert summary["grouping"] == text
    assert summary["kernels"] == len(kernels)


def test_what_became_of_many_factors():
    describe = gpu_chain_cases.describe_grouping
    a, b = (16, 64, 64, 1), (1, 16, 16, 64)
    assert describe(CHAINS[DYADIC], [[a], [b]]) == "merged 10->2, apart 2"
    assert describe(CHAINS[DYADIC], [[a, b]]) == "merged 10->2, fused 2"
    assert describe(CHAINS[DYADIC], [CHAINS[DYADIC]]) == "fused 10"
    radix = CHAINS["radix16 4096"]
    assert describe(radix, [radix[:2], radix[2:]]) == "fused 2+1"
    assert describe([a], [[a]]) == "one factor"
    assert describe([a], []) == "?"


def make_row(title: str, batch: int = 4096, **times: float) -> gpu_cases.Row:
    case = make_case(title, batch)
    row = dict.fromkeys(FIELDS, "")
    row.update(chain=title, batch=str(batch), type="f16", layout="first", status="ok")
    row.update(variants="exact free", floor_us="10", weight_bytes=str(case.weight_bytes))
    row.update(ks_kernels="2", ks_grouping="apart 2", device="a GPU", date="2026-11-27")
    row.update({field: str(value) for field, value in times.items()})
    gpu_chain_cases.finish_row(row)
    return row


def test_ratios_are_with_the_best_correct_peer():
    row = make_row(MONARCH, ks_us=20, ks_free_us=15, dense_us=12, bmm_us=60, wrong="dense")
    assert (row["best_peer"], row["best_peer_us"]) == ("bmm", "60")
    assert (row["ks_over_floor"], row["ks_speedup"]) == ("2.000", "3.000")
    assert row["ks_free_speedup"] == "4.000"
    assert row["ks_over_dense"] == ""


def test_the_page_of_chains(tmp_path):
    free = {"ks_free_kernels": "1", "ks_free_grouping": "fused 2"}
    rows = [
        make_row(MONARCH, ks_us=40, ks_free_us=20, dense_us=40, bmm_us=80, **free),
        make_row(DYADIC, ks_us=80, ks_free_us=80, dense_us=40, bmm_us=400),
        make_row(KRON, ks_us=20, ks_free_us=20, dense_us=40, matmul_us=30, ks_joules=0.002,
                 dense_joules=0.008),
        make_row(MONARCH, 1, ks_us=5, dense_us=4, ks_cold_us=6, dense_cold_us=9),
    ]  # fmt: skip
    for row in rows:
        gpu_cases.append_row(tmp_path / "rows.csv", row, FIELDS)
    read = list(gpu_cases.read_rows(tmp_path / "rows.csv", FIELDS).values())
    assert read == rows
    gpu_chain_table.write_table(read, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    # Of the two main chains: floors 2 and 8, dense 0.5 and 2, peers 2 and 0.5.
    assert (
        "| f16 | first | 4096 | main | free | 2 of 2 | 4.00 | 1.00 | 2.00 | **1.00** | 1 of 2 |"
        in page
    )
    assert "| f16 | first | 4096 | all | exact | 3 of 3 |" in page
    assert f"- f16 first **{DYADIC}**, batch 4096: 2.00" in page
    assert f"- f16 first **{MONARCH}**, batch 1: 1.25" in page
    assert (
        f"| **{MONARCH}** | 10 | 40 | 20 | 40 | 80 | – | – | – | dense | 2.00 | 0.50 | **2.00** "
        "| exact 2 (apart 2); free 1 (fused 2) |" in page
    )
    assert f"| {KRON} | 10 | 20 | 20 | 40 | – | – | – | 30 | matmul |" in page
    assert f"| {KRON} | 2 | – | 8 | – | – | – |" in page  # energy of free was not measured
    assert f"| **{MONARCH}** | 0.131 | 5 | 6 | – | – | 4 | 9 |" in page
    assert "a GPU" in page
    assert "2026-11-27" in page


def test_the_page_of_groupings(tmp_path):
    rows = []
    for title, variant, us in (
        *((MONARCH, "exact", 30), (MONARCH, "free", 22), (MONARCH, "dense", 20)),
        *((DYADIC, "free", 10), (DYADIC, "apart", 90)),
    ):
        row = dict.fromkeys(GROUPING_FIELDS, "")
        row.update(chain=title, variant=variant, batch="64", type="f16", layout="first")
        row.update(status="ok", ks_us=str(us), ks_grouping=f"as {variant}")
        rows.append(row)
        gpu_cases.append_row(tmp_path / "rows.csv", row, GROUPING_FIELDS)
    read = list(gpu_cases.read_rows(tmp_path / "rows.csv", GROUPING_FIELDS).values())
    assert read == rows  # variants have rows of their own
    gpu_chain_table.write_groupings(read, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "| f16 | first | 64 | 2 | 1.050 | 1.10 | 2 of 2 |" in page
    assert f"| **{MONARCH}** | 30 | 22 | 20 | – | as free | dense: as dense | 1.10 |" in page


def make_arguments(folder: Path, **others: object) -> argparse.Namespace:
    return argparse.Namespace(
        **{
            **{"csv": folder / "rows.csv", "fields": FIELDS, "artifacts": folder},
            **{"runtime": folder, "groupings": False, "titles": [MONARCH], "batch": [64]},
            **{"variants": ["exact", "free"]},
            **others,
        }
    )


def test_a_new_variant_is_measured(tmp_path):
    args = make_arguments(tmp_path)
    (case,) = gpu_chains.make_cases(args, "f16", "first")
    row = make_row(MONARCH, 64, ks_us=5)
    row["variants"] = "exact"
    gpu_cases.append_row(args.csv, row, FIELDS)
    assert gpu_processes.find_todo(args, [case]) == []
    (tmp_path / case.name_artifact("free")).touch()
    assert gpu_processes.find_todo(args, [case]) == [case]


def test_groupings_are_what_the_folder_holds(tmp_path):
    args = make_arguments(tmp_path, groupings=True)
    stem = "monarch-sqrt-n-1024-f16-first-64"
    for variant, code in (("apart", "two"), ("exact", "one"), ("free", "one"), ("x", "three")):
        (tmp_path / f"{stem}-{variant}.ks").write_text(code)
    cases = gpu_chains.make_cases(args, "f16", "first")
    assert [case.artifact for case in cases] == [
        f"{stem}-{variant}.ks" for variant in ("free", "apart", "x")
    ]
    assert len({case.key for case in cases}) == 3


def test_summaries_are_read_beside_artefacts(tmp_path):
    summary = {"kernels": 1, "grouping": "fused 2", "patterns": []}
    (tmp_path / "layer.json").write_text(json.dumps(summary))
    assert gpu_chain_cases.read_summary(tmp_path / "layer.ks") == ("1", "fused 2")
    assert gpu_chain_cases.read_summary(tmp_path / "other.ks") == ("", "")


def test_variants_are_flags_of_ks_run():
    assert make_gpu_artifacts.parse_variant("apart=--frozen --x 'a b'") == (
        "apart",
        ["--frozen", "--x", "a b"],
    )
    with pytest.raises(argparse.ArgumentTypeError, match="NAME=FLAGS"):
        make_gpu_artifacts.parse_variant("apart")
