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
sample=$(find "$assets/samples" -name '*.png' | sort | head -n 1)
[ -n "$sample" ] || fail "there is no sample picture in the wheel"
"$bin/modiste" predict "$sample" > prediction.txt || fail "'modiste predict' failed"
[ -s prediction.txt ] || fail "'modiste predict' printed nothing"

code=0
"$bin/modiste" train sprint 2> refusal.txt > /dev/null || code=$?
[ "$code" = 2 ] || fail "'modiste train' without torch ended with $code, not 2: $(cat refusal.txt)"
grep -q 'modiste\[train\]' refusal.txt || fail "'modiste train' without torch does not name the extra: $(cat refusal.txt)"

echo "base install: $(basename "$sample"): $(head -n 1 prediction.txt)"
