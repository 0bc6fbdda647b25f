"""The training steps of ``step.py`` in JAX: all of a step is one compiled function."""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call,misc,untyped-decorator"
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from step import Step, Task

__all__ = ["jax_steps"]

Tree: TypeAlias = Any


def unit(x: Any) -> Any:
    return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def gather(source: Any, neighbors: Any, weights: Any) -> Any:
    return jnp.einsum("nk,nkd->nd", weights, source[neighbors])


def graph_of(x: Any, k: int) -> Tree:
    """``D^-1/2 (max(M, Mᵀ) + I) D^-1/2`` in lists, and what goes back along one-way links."""
    rows, n = unit(x), len(x)
    near = (rows @ rows.T).at[jnp.arange(n), jnp.arange(n)].set(-2.0)
    neighbors = jax.lax.top_k(near, k)[1]
    mutual = (neighbors[neighbors] == jnp.arange(n)[:, None, None]).any(-1)
    one_way = jnp.where(mutual, 0.0, 1.0)
    degree = 1.0 + k + jnp.zeros(n).at[neighbors].add(one_way)
    root = degree**-0.5
    pair = root[:, None] * root[neighbors]
    return {
        "neighbors": neighbors,
        "weights": pair,
        "own": 1.0 / degree[:, None],
        "reverse": one_way * pair,
    }


def propagate(graph: Tree, h: Any, source: Any) -> Any:
    out = graph["own"] * h + gather(source, graph["neighbors"], graph["weights"])
    if "reverse" not in graph:
        return out
    sent = graph["reverse"][:, :, None] * h[:, None]
    return out.at[graph["neighbors"]].add(sent)


def norm_of(params: Tree, x: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred / jnp.sqrt(variance + 1e-5) * params["weight"] + params["bias"]


def distance(a: Any, b: Any) -> Any:
    squares = ((a - b) ** 2).sum(1)
    equal = squares <= 1e-12
    return jnp.where(equal, 0.0, jnp.sqrt(jnp.where(equal, 1.0, squares)))


def triplets(config: Any, z: Any, batch: Tree) -> Any:
    """Batch-hard triplets; with a bank half of it over semi-hard negatives of their pairs."""
    fixed, labels, items = jax.lax.stop_gradient(z), batch["labels"], batch["items"]
    distances = (fixed * fixed).sum(1) - 2.0 * (fixed @ fixed.T)
    same = labels[:, None] == labels
    positives, negatives = same & (items[:, None] != items), ~same
    if "anchors" in batch:
        compared = batch["anchors"][:, None] & ~batch["anchors"]
        positives, negatives = positives & compared, negatives & compared
    positive = jnp.where(positives, distances, -jnp.inf).argmax(1)
    negative = jnp.where(negatives, distances, jnp.inf).argmin(1)
    valid = positives.any(1) & negatives.any(1)

    def hinge(negative: Any, valid: Any) -> Any:
        terms = distance(z, z[positive]) - distance(z, z[negative]) + config.triplet_margin
        return (jax.nn.relu(terms) * valid).sum() / jnp.maximum(valid.sum(), 1)

    if config.mining_strategy == "batch_hard":
        return hinge(negative, valid)
    beyond = negatives & (distances > jnp.take_along_axis(distances, positive[:, None], 1))
    softer = jnp.where(beyond, distances, jnp.inf).argmin(1)
    return 0.5 * (hinge(negative, valid) + hinge(softer, valid & beyond.any(1)))


def jax_steps(task: Task) -> dict[str, Step]:
    """The step by name."""
    config = task.config
    batch, sources = (jax.tree.map(jnp.asarray, tree) for tree in (task.batch, task.sources))
    params = jax.tree.map(jnp.array, task.params)
    rate, keep = config.dropout_rate, 1.0 - config.dropout_rate

    def loss(params: Tree, batch: Tree, sources: Tree, key: Any) -> Any:
        x = h = batch["x"]
        graph = batch if sources else graph_of(x, config.graph_k_neighbors)
        graph = {n: graph[n] for n in ("neighbors", "weights", "own", "reverse") if n in graph}
        for index in range(len(config.hidden_dims)):
            layer = params["gcn"][str(index)]
            weight, bias = layer["linear"]["weight"], layer["linear"]["bias"]
            if sources:
                out = propagate(graph, h, sources[str(index)]) @ weight + bias
            else:
                narrow = h @ weight
                out = propagate(graph, narrow, narrow) + bias
            out = jax.nn.gelu(norm_of(layer["norm"], out), approximate=False)
            if rate:
                kept = jax.random.bernoulli(jax.random.fold_in(key, index), keep, out.shape)
                out = jnp.where(kept, out / keep, 0.0)
            h = out + h if out.shape == h.shape else out
        z = h @ params["head"]["weight"] + params["head"]["bias"]
        if not sources:
            return triplets(config, unit(z), batch)
        z = unit(x + batch["gate"] * z)
        kept = 1.0 - (unit(z) * x).sum(1).mean()
        return triplets(config, z, batch) + config.start_weight * kept

    def step(params: Tree, moments: Tree, batch: Tree, sources: Tree, count: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(params, batch, sources, jax.random.key(count))
        norm = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(gradient)))
        scale = jnp.where(norm > config.gradient_clip_val, config.gradient_clip_val / norm, 1.0)
        gradient = jax.tree.map(lambda g: g * scale, gradient)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradient)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], gradient)
        first, second = 1.0 - 0.9**count, 1.0 - 0.999**count

        def move(p: Any, m: Any, v: Any) -> Any:
            update = m / first / (jnp.sqrt(v / second) + 1e-8)
            return p - config.learning_rate * (update + config.weight_decay * p)

        return jax.tree.map(move, params, m, v), (m, v), value, norm

    compiled = jax.jit(step, donate_argnums=(0, 1))
    moments = tuple(jax.tree.map(jnp.zeros_like, params) for _ in range(2))
    count = 0

    def take() -> tuple[float, float]:
        nonlocal params, moments, count
        count += 1
        params, moments, value, norm = compiled(params, moments, batch, sources, count)
        return float(value), float(norm)

    return {"JAX, jit": take}
