# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pictures of what gpu_factors.py and gpu_chains.py measured; they need matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gpu_cases import BATCH, KINDS, LAYOUTS, PEERS, Row, number
from gpu_chain_table import is_wrong
from gpu_table import good

STYLES = {
    "ks": ("ours", "#d62728", "o"),
    "ks_free": ("ours, weights frozen", "#0072b2", "*"),
    "dense": ("dense", "#999999", "s"),
    "bmm": ("bmm", "#e69f00", "^"),
    "einsum": ("einsum", "#cc79a7", "v"),
    "compile": ("torch.compile", "#009e73", "D"),
    "triton": ("triton", "#009e73", "D"),
    "cublas_ptr": ("cublas_ptr", "#56b4e9", "P"),
}


def import_pyplot(say: Callable[..., None]):
    """None if there is no matplotlib."""
    try:
        import matplotlib
    except ImportError:
        say("no matplotlib: the picture is left out; draw it elsewhere from the CSV")
        return None
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "ks", "svg.fonttype": "none"})
    from matplotlib import pyplot

    return pyplot


def add_points(panel, way: str, points: list[tuple[int, float]]) -> None:
    if points:
        name, colour, mark = STYLES[way]
        style = {"marker": mark, "color": colour, "label": name}
        panel.plot(*zip(*points), linestyle="none", markersize=6, **style)


def finish_panel(panel, title: str, names: list[str]) -> None:
    """`names` are those of the places along x; what is compared with is at 1."""
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set_yscale("log", base=2)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.grid(axis="y", linewidth=0.3)
    panel.grid(axis="x", linewidth=0.15)
    panel.set_title(title, fontsize=10)
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=7)


def save(pyplot, figure, panels, label: str, path: Path) -> None:
    found: dict[str, object] = {}
    for panel in panels.flat:
        for handle, text in zip(*panel.get_legend_handles_labels()):
            found.setdefault(text, handle)
    if found:
        figure.legend(found.values(), found.keys(), loc="upper center", ncols=6, frameon=False)
    figure.supxlabel(label, fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def find_device(rows: list[Row]) -> str:
    row = next((row for row in rows if row.get("device")), {})
    return ", ".join(row[key] for key in ("device", "date") if row.get(key))


def draw_factors(rows: list[Row], path: Path, say: Callable[..., None]) -> None:
    """Ours and the best peer over the floor; a panel for each type and layout."""
    pyplot = import_pyplot(say)
    if not pyplot:
        return
    main = [row for row in rows if int(row["batch"]) == BATCH and row.get("floor_ms")]
    kinds = [kind for kind in KINDS if any(row["type"] == kind for row in main)]
    if not kinds:
        raise SystemExit(f"the CSV holds no case of batch {BATCH}")
    order = {row["pattern"]: number(row, "floor_ms") for row in reversed(main)}
    names = sorted(order, key=lambda name: order[name])
    places = {name: at for at, name in enumerate(names)}
    figure, panels = pyplot.subplots(
        len(kinds), 2, figsize=(17, 3.2 * len(kinds) + 1), sharex=True, sharey="row", squeeze=False
    )
    for line, kind in zip(panels, kinds):
        for panel, layout in zip(line, LAYOUTS):
            some = [row for row in main if (row["type"], row["layout"]) == (kind, layout)]
            for way in [*PEERS, "ks"]:
                points = [
                    (places[row["pattern"]], number(row, f"{way}_ms") / number(row, "floor_ms"))
                    for row in (good(some) if way == "ks" else some)
                    if way in ("ks", row.get("best_peer"))
                ]
                add_points(panel, way, points)
            finish_panel(panel, f"{kind}, batch-{layout}", names)
        line[0].set_ylabel("time / floor")
    label = f"ours and the best peer; patterns a,b,c,d by their floor; batch {BATCH}"
    save(pyplot, figure, panels, f"{label}; {find_device(main)}", path)


def draw_chains(rows: list[Row], path: Path, say: Callable[..., None]) -> None:
    """Every way's time over that of the dense product, and where the floor is; a panel for
    each batch, a line of them for each type and layout."""
    pyplot = import_pyplot(say)
    if not pyplot:
        return
    main = [row for row in rows if row.get("dense_us") and not is_wrong(row, "dense")]
    lines = list(dict.fromkeys((row["type"], row["layout"]) for row in main))
    if not lines:
        raise SystemExit("the CSV holds no chain whose dense product was measured")
    batches = sorted({int(row["batch"]) for row in main})
    names = list(dict.fromkeys(row["chain"].split(" (")[0] for row in main))
    shape = (len(lines), len(batches))
    size = (4.2 * shape[1] + 1, 3.6 * shape[0] + 2)
    figure, panels = pyplot.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
    for line, (kind, layout) in zip(panels, lines):
        for panel, batch in zip(line, batches):
            case = (kind, layout, batch)
            some = [r for r in main if (r["type"], r["layout"], int(r["batch"])) == case]
            places = [(names.index(row["chain"].split(" (")[0]), row) for row in some]
            for way in [way for way in STYLES if way != "dense"]:
                ratios = [
                    (at, number(row, f"{way}_us") / number(row, "dense_us"))
                    for at, row in places
                    if row.get(f"{way}_us") and not is_wrong(row, way)
                ]
                add_points(panel, way, ratios)
            if batch > 512:  # In graphs operands are in L2, and the floor says little.
                floors = [(at, number(r, "floor_us") / number(r, "dense_us")) for at, r in places]
                panel.plot(*zip(*floors), "_", color="black", markersize=12, label="floor")
            finish_panel(panel, f"{kind}, batch-{layout}, batch {batch}", names)
        line[0].set_ylabel("time / dense cuBLAS")
    save(pyplot, figure, panels, find_device(main), path)
