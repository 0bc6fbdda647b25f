#!/usr/bin/env bash
# mlx.launch takes options that stand after the program it starts, and belong to that program.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "mlx[cpu]==0.32.4"; then
    echo "could not be tried: mlx 0.32.4 was not installed" >&2
    exit 2
fi

cd "$folder"
cat >script.py <<'PYTHON'
import sys

print("the program got", sys.argv[1:], flush=True)
PYTHON

# Standard output and error of mlx.launch, and its exit code in `code`.
launched() {
    code=0
    said=$(timeout 60 venv/bin/mlx.launch -n 2 --starting-port 41320 "$@" 2>&1) || code=$?
}

launched venv/bin/python script.py --backend x
plain=$said plain_code=$code
launched -- venv/bin/python script.py --backend x
marked=$said marked_code=$code
launched venv/bin/python script.py --backend ring
taken=$said

echo "version:   $(venv/bin/python -m pip list --disable-pip-version-check 2>/dev/null | grep '^mlx ' | tr -s ' ')"
echo "expected:  options after the program are the program's, as with mpiexec, torchrun and env:"
echo "           'mlx.launch -n 2 python script.py --backend x' gives it --backend x, twice"
echo "seen:      exit code $plain_code, the program is not started:"
echo "           $(tail -n 1 <<<"$plain")"
echo "way round: 'mlx.launch -n 2 -- python script.py --backend x', exit code $marked_code:"
sed 's/^/           /' <<<"$marked"
echo "           a value that mlx.launch knows, --backend ring, is taken from the program without a word:"
sed 's/^/           /' <<<"$taken"
echo "matters:   a program with an option of the name of one of mlx.launch's runs without it, under"
echo "           a launcher that was set up in another way"

got="the program got ['--backend', 'x']"
if [[ $plain_code != 2 || $plain == *"the program got"* || $plain != *"The backend should be one of"* ]] ||
    [[ $marked_code != 0 || $(grep -cF "$got" <<<"$marked") != 2 ]] ||
    [[ $(grep -cFx "the program got []" <<<"$taken") != 2 ]]; then
    echo "changed: this is no longer what was seen"
    exit 1
fi
