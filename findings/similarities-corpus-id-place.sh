#!/usr/bin/env bash
# similarities' BM25Similarity over a corpus with numbers of one's own tells a text's place for its number, and looks
# the text up by it: of 200 texts with shuffled numbers none of what is found is the text that the score is of.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "jieba==0.42.1" "loguru==0.7.3" "tqdm==4.67.1" "pandas==2.2.3" \
    "Pillow==10.4.0" "requests==2.32.5" "six==1.17.0" "fire==0.7.1" "pydantic==2.12.4" "setuptools==80.9.0" \
    "wheel==0.45.1" || ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    "similarities==1.2.4"; then
    echo "could not be tried: similarities was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 TMPDIR="$folder" "$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import sys
from unittest import mock

import numpy as np

# What encodes texts and pictures by a network is not needed here.
for name in ("torch", "torch.nn", "torch.nn.functional", "torch.multiprocessing", "text2vec", "transformers", "faiss",
             "cv2"):
    sys.modules[name] = mock.MagicMock()
from similarities import BM25Similarity, SimHashSimilarity  # noqa: E402

TEXTS, WORDS, LENGTH, ASKED = 200, 300, 8, 100
rng = np.random.default_rng(0)
letters = list("abcdefghijklmnoprstuvw")
words = ["".join(rng.choice(letters, 6)) for _ in range(WORDS)]
texts = [" ".join(rng.choice(words, LENGTH, replace=False)) for _ in range(TEXTS)]
queries = [" ".join(rng.choice(text.split(), 4, replace=False)) for text in texts[:ASKED]]
numbers = {"places 0 to 199": np.arange(TEXTS), "shuffled": rng.permutation(TEXTS),
           "from 1000 on": np.arange(TEXTS) + 1000}

small = {201: "red apple pie", 7: "fast blue car", 0: "deep green sea", 3: "old stone bridge"}
for model in (BM25Similarity(small), SimHashSimilarity(small)):
    print(f"'blue car' among {small}:\n  {type(model).__name__} {model.most_similar('blue car', topn=1)[0]}")
print(f"\n{TEXTS} texts of {LENGTH} words, asked for by four words of {ASKED}: share of first results whose number")
print("is that of the text, whose text it is, and that have a text at all")
print("numbers             BM25Similarity             SimHashSimilarity")
seen = {}
for name, keys in numbers.items():
    corpus = {int(key): text for key, text in zip(keys, texts)}
    line = []
    for kind in (BM25Similarity, SimHashSimilarity):
        found = [answer[0] for answer in kind(corpus).most_similar(queries, topn=1)]
        line.append([np.mean([one["corpus_id"] == int(keys[place]) for place, one in enumerate(found)]),
                     np.mean([one["corpus_doc"] == texts[place] for place, one in enumerate(found)]),
                     np.mean([one["corpus_doc"] is not None for one in found]),
                     np.mean([corpus.get(one["corpus_id"]) == one["corpus_doc"] for one in found])])
    seen[name] = line
    print(f"{name:18}" + "".join("{:7.2f}{:7.2f}{:7.2f}      ".format(*values) for values in line))
print("similarities 1.2.4, numpy", np.__version__)
print("expected: the number that the text was given, as its other searches tell it, and the text")
print("cause: scores are counted through from 0 on, and the count is looked up among the numbers. The searches by")
print("TF-IDF, by word vectors and by BERT do the same with the places that come back from theirs")
print("why it matters: a corpus is given as a dictionary so that results lead back to the rows of a table. They lead")
print("to other rows, with the score of the right one beside them")
right = seen["places 0 to 199"][0][:2] == [1, 1] and all(line[1][3] == 1 for line in seen.values())
wrong = seen["shuffled"][0][1] < 0.1 and seen["from 1000 on"][0][2] == 0
sys.exit(0 if right and wrong else 1)
PYTHON
