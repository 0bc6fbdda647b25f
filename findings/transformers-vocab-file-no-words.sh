#!/usr/bin/env bash
# A tokeniser of transformers 5 that is given the files of its vocabulary by the names that these had
# up to 4.57 knows no word, and says nothing: texts differ by how many words they have, or not at all.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for release in 4.57.6 5.24.0; do
    if ! python3 -m venv "$folder/$release" || ! "$folder/$release/bin/python" -m pip install --quiet \
        --disable-pip-version-check "transformers==$release" "numpy==2.4.6"; then
        echo "could not be tried: transformers $release was not installed" >&2
        exit 2
    fi
done

cat >"$folder/tried.py" <<'PYTHON'
import json
import sys
from pathlib import Path

from tokenizers import BertWordPieceTokenizer
from transformers import BertTokenizerFast, RobertaTokenizerFast, __version__

folder = Path(sys.argv[1])
words = "my card parcel refund is was late lost blocked".split()
pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
(folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
letters = sorted({letter for word in words for letter in word}) + ["Ġ"]
marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
(folder / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate([*marks, *letters])}))
(folder / "merges.txt").write_text("#version: 0.2\n")
texts = ["my card is blocked", "my parcel was lost", "my refund is late is lost"]

alone = BertWordPieceTokenizer(str(folder / "vocab.txt"))
wanted = [alone.encode(text).ids for text in texts]
files = {"vocab_file": str(folder / "vocab.txt")}
pairs = {"vocab_file": str(folder / "vocab.json"), "merges_file": str(folder / "merges.txt")}
kinds = {BertTokenizerFast: files, RobertaTokenizerFast: pairs}
print("transformers", __version__)
found = []
for kind, given in kinds.items():
    ids = [kind(**given)(text)["input_ids"] for text in texts]
    placed = [kind(*given.values())(text)["input_ids"] for text in texts]
    found.append((len(set(map(tuple, ids))), len(set(map(tuple, placed)))))
    print(f"  {kind.__name__}({', '.join(given)}): {found[-1][0]} of 3 texts differ")
    print(f"    their numbers {ids if given is files else [text[:6] for text in ids]}")
    print(f"    the same files by their place: {found[-1][1]} differ")
    if given is files:
        print(f"    tokenizers alone: {wanted}, here {'the same' if ids == wanted else 'others'}")
        found.append(ids == wanted)
sys.exit(0 if str(found) == sys.argv[2] else 1)
PYTHON

same=0
"$folder/4.57.6/bin/python" -W ignore "$folder/tried.py" "$folder" \
    "[(3, 3), True, (3, 3)]" 2>/dev/null || same=1
"$folder/5.24.0/bin/python" -W ignore "$folder/tried.py" "$folder" \
    "[(2, 3), False, (1, 3)]" 2>/dev/null || same=1
echo "expected: the words of the file, or an error of a name that is not known any more"
echo "cause: the arguments are called vocab and merges now; the names before are taken among the"
echo "settings that are kept, though what is said of vocab still is that without it the vocabulary is"
echo "loaded from vocab_file, and the vocabulary is that of the special tokens alone"
echo "why it matters: so is a tokeniser made of a vocabulary of one's own, to train an encoder for a"
echo "field's words; it trains on texts without words, and its embeddings tell how long they are"
exit "$same"
