"""Classes that are mixtures: those of a set merged, which is where losses with a margin collapse.

    python benchmarks/mixtures.py banking77.minilm.npz

Each class's number modulo 2, 3 and 6 is its class. Trained as ``dtgcnn train`` trains; test rows
are looked up among training rows, in percent. The last epoch's loss stands beside its margin, and
how many epochs ``CollapseWatch`` would call collapsed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from quality import KNOWN, figures, held_out, labelled_vectors

from dtgcnn.callbacks import CollapseWatch
from dtgcnn.training import train_on_all


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    _, x, labels, train, test = labelled_vectors(options.file)
    heads = (*KNOWN, "last loss", "margin", "epochs collapsed", "epoch kept")
    print(f"| classes | | {' | '.join(heads)} |\n|---{'|---' * (len(heads) + 1)}|")
    watch = CollapseWatch()
    for classes in (2, 3, 6):
        y = labels % classes
        trainer, dataset = held_out(x[train], y[train], options.seed, {})
        last, margin = trainer.history[-1], trainer.config.triplet_margin
        z = train_on_all(trainer, dataset).model.encode(x)
        for name, view in (("input vectors", x), ("trained", z)):
            cells = figures(view[test], y[test], KNOWN, view[train], y[train])
            shown = [f"{100 * cell:.1f}" for cell in cells]
            if name == "trained":
                shown += [
                    f"{last['loss']:.3f}",
                    f"{margin}",
                    f"{sum(watch.looks_collapsed(trainer.config, e) for e in trainer.history)}",
                    f"{trainer.best_epoch}",
                ]
            print(f"| {classes} | {name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
