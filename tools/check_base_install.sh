#!/usr/bin/env bash
# Installs the wheel with the base lock alone into a new virtual environment, and shows that it works without torch.
# Usage: tools/check_base_install.sh WHEEL      (PYTHON=python3.12 takes another Python)
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
wheel=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "base install: $1" >&2
    exit 1
}

"${PYTHON:-python3}" -m venv "$work/venv"
bin=$work/venv/bin
pip=("$bin/python" -m pip install -qq --disable-pip-version-check --no-compile --no-deps)
"${pip[@]}" --require-hashes -r "$root/requirements-base.lock"
"${pip[@]}" "$wheel"
"$bin/python" -m pip check > "$work/pip-check" || fail "$(cat "$work/pip-check")"

cd "$work" # away from the checkout, so that only what is in the wheel is found
unset PYTHONPATH
"$bin/python" - <<'PYTHON' || fail "it holds more than the base"
import importlib.util
import sys

extras = ["torch", "torchvision", "onnx", "onnxscript", "safetensors", "matplotlib", "scipy", "sklearn", "tensorboard"]
sys.exit(any(importlib.util.find_spec(name) for name in extras))
PYTHON

"$bin/modiste" --help > help.txt || fail "'modiste --help' failed"
"$bin/python" -m modiste --help > help-of-module.txt || fail "'python -m modiste --help' failed"

assets=$("$bin/python" -c 'from importlib.resources import files; print(files("modiste") / "assets")')
[ -f "$assets/fashion-mnist/LICENSE" ] || fail "the notice of the data is not in the wheel"
"$bin/modiste" data verify > verify.txt || fail "'modiste data verify' failed"
"$bin/modiste" train --list > recipes.txt || fail "'modiste train --list' failed"
grep -q 'test accuracy' recipes.txt || fail "the published results are not in the wheel"
samples=("$assets/samples/bag.png" "$assets/samples/shirt.jpg")
"$bin/modiste" predict --json "${samples[@]}" > predictions.json || fail "'modiste predict' failed"
"$bin/python" - <<'PYTHON' || fail "'modiste predict' is wrong on its samples: $(cat predictions.json)"
import json
import sys

predictions = [(each["label"], each["model"]) for each in json.load(open("predictions.json"))]
sys.exit(predictions != [("Bag", "fashion-mnist"), ("Shirt", "photo")])
PYTHON

code=0
"$bin/modiste" train sprint 2> refusal.txt > /dev/null || code=$?
[ "$code" = 2 ] || fail "'modiste train' without torch ended with $code, not 2: $(cat refusal.txt)"
grep -q 'modiste\[train\]' refusal.txt || fail "'modiste train' without torch does not name the extra: $(cat refusal.txt)"

echo "base install: both bundled models are right on a sample"
