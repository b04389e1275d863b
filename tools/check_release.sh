#!/usr/bin/env bash
# Builds the wheel and the sdist, and tests both in fresh environments with the newest versions of the dependencies:
# the base install and its tests on each Python, and a training where torch has a wheel for it.
# Usage: tools/check_release.sh [PYTHON...]     default: those of python3.11 to python3.14 that are installed
#        TRAIN=0 leaves out the trainings, which install torch
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH

fail() {
    echo "release: $1" >&2
    exit 1
}

# Wheel and sdist, built without anything of this checkout's environment.
"${PYTHON:-python3}" -m venv "$work/build"
"$work/build/bin/python" -m pip install -qq --disable-pip-version-check 'hatchling>=1.27'
(cd "$root" && "$work/build/bin/hatchling" build --directory "$work/dist" > /dev/null) || fail "the build failed"
wheel=$(ls "$work"/dist/*.whl)
mkdir "$work/sdist"
tar -xzf "$work"/dist/*.tar.gz -C "$work/sdist" --strip-components=1
echo "release: built $(basename "$wheel") and $(basename "$work"/dist/*.tar.gz)"

# Predict, then the tests of the packages that need nothing beyond the base, against the installed wheel.
check_base() {
    local bin=$1/bin
    "$bin/python" -m pip install -qq --disable-pip-version-check "$wheel" pytest pytest-xdist
    (cd "$work" && "$bin/modiste" predict --json "$root/src/modiste/assets/samples/bag.png" | grep -q '"label": "Bag"') ||
        fail "$2: 'modiste predict' is wrong"
    (cd "$work/sdist" && rm -rf src && "$bin/python" -m pytest -q -n 2 -p no:cacheprovider $BASE_TESTS > "$work/tests.txt" 2>&1) ||
        { cat "$work/tests.txt" >&2; fail "$2: the base tests failed"; }
    echo "release: $2: base install, prediction and tests: $(tail -1 "$work/tests.txt")"
}
BASE_TESTS="tests/imaging/test_decode.py tests/imaging/test_resize.py tests/imaging/test_png.py tests/imaging/test_photo_files.py
    tests/recipes/test_settings.py tests/runs/test_files.py tests/runs/test_lock.py tests/runs/test_metrics_file.py"

# One short training, if pip finds wheels of torch for this Python; it is not built from source.
check_training() {
    local bin=$1/bin
    "$bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: "$wheel[train]" 2> "$work/pip.txt" ||
        { echo "release: $2: no training, as pip found no wheels: $(tail -1 "$work/pip.txt")"; return; }
    (cd "$work" && "$bin/modiste" train sprint --name "$2" --epochs 1 --set data.max_train_images=500 > train.txt 2>&1) ||
        { cat "$work/train.txt" >&2; fail "$2: the training failed"; }
    (cd "$work" && "$bin/modiste" evaluate "runs/$2" > /dev/null) || fail "$2: the evaluation failed"
    echo "release: $2: training and evaluation"
}

tested=0
for python in "${@:-python3.11}" $([ $# -gt 0 ] || echo python3.12 python3.13 python3.14); do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null) || { echo "release: $python is not installed"; continue; }
    "$python" -m venv "$work/$version"
    check_base "$work/$version" "python$version"
    [ "${TRAIN:-1}" = 0 ] || check_training "$work/$version" "python$version"
    rm -rf "${work:?}/$version"
    tested=$((tested + 1))
done
[ "$tested" -gt 0 ] || fail "no Python was tested"
