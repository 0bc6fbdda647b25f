#!/usr/bin/env bash
# PolyFuzz's RapidFuzz over one list takes each string out of it for good once it was matched: a string is compared with
# those that come after it alone, so that of misspelled pairs the second never finds the first, 0.50 in place of 1.00.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "scipy==1.13.1" "scikit-learn==1.7.2" "pandas==2.2.3" "tqdm==4.67.1" \
    "joblib==1.5.2" "matplotlib==3.9.4" "seaborn==0.13.2" "rapidfuzz==3.14.3" "polyfuzz==0.4.3"; then
    echo "could not be tried: polyfuzz was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import rapidfuzz
from polyfuzz.models import TFIDF, EditDistance, RapidFuzz

PAIRS = 60
rng = np.random.default_rng(0)
letters = list("abcdefghijklmnoprstuvw")


def misspell(name):
    """The same with one letter changed."""
    place = rng.integers(len(name))
    return name[:place] + rng.choice([x for x in letters if x != name[place]]) + name[place + 1 :]


def by_hand(strings):
    """The most similar other string of the list, by the same score."""
    found = []
    for place, string in enumerate(strings):
        others = strings[:place] + strings[place + 1 :]
        scores = [rapidfuzz.fuzz.WRatio(string, other) for other in others]
        found.append((others[int(np.argmax(scores))], max(scores) / 100))
    return found


names = ["".join(rng.choice(letters, rng.integers(8, 13))) for _ in range(PAIRS)]
pairs = [(name, misspell(name)) for name in names]
twin = {a: b for a, b in pairs} | {b: a for a, b in pairs}
orders = {"pair by pair": [name for pair in pairs for name in pair],
          "names, then misspelled": [a for a, _ in pairs] + [b for _, b in pairs]}
orders["by chance"] = list(rng.permutation(orders["pair by pair"]))
ways = {"RapidFuzz": lambda strings: RapidFuzz(n_jobs=1).match(strings), "EditDistance": EditDistance(n_jobs=1).match,
        "TFIDF": TFIDF(n_gram_range=(2, 2), min_similarity=0, cosine_method="knn").match}
print(f"{PAIRS} names and the same with a letter changed: share whose best match is the other of the pair")
print("order                    " + "".join(f"{way:>14}" for way in (*ways, "by hand"))
      + "   RapidFuzz: first half, last half")
seen = {}
for order, strings in orders.items():
    strings = [str(string) for string in strings]
    tables = [way(list(strings)) for way in ways.values()]
    right = [[twin[a] == b for a, b in zip(table.From, table.To)] for table in tables]
    hand = np.mean([twin[a] == b for a, (b, _) in zip(strings, by_hand(strings))])
    halves = np.mean(right[0][:PAIRS]), np.mean(right[0][PAIRS:])
    seen[order] = [*(np.mean(line) for line in right), hand]
    print(f"{order:25}" + "".join(f"{value:14.2f}" for value in seen[order]) + f"{halves[0]:24.2f}{halves[1]:11.2f}")
last = tables[0].iloc[-1]
print(f"the last string of the list: best match {last.To}, similarity {last.Similarity:.2f}")
two = RapidFuzz(n_jobs=1)
two.match(["apple", "appel"])
given = ["apple", "apples"]
told = two.match(["apple"], given)
print("then with two lists, apple among apple and apples:", told.To[0], "and the caller's list is now", given)
print("polyfuzz 0.4.3, rapidfuzz", rapidfuzz.__version__)
print("expected: the best match of each string among all others of the list")
print("cause: the string is removed from the list that the others are looked up in, which is one and the same for all")
print("of them. With several processes each has a list of its own, and what is found goes by how the work is divided.")
print("That a list was compared with itself is kept as well, and from the next one's list strings are removed, too")
print("why it matters: this is how near copies in one list are found and grouped. Which are found goes by their order")
right = all(min(line[1:]) > 0.95 for line in seen.values())
wrong = all(line[0] < 0.6 for line in seen.values()) and last.To is None and told.To[0] == "apples"
sys.exit(0 if right and wrong else 1)
PYTHON
