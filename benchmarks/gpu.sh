#!/usr/bin/env bash
# Measure on one GPU, in at most ten minutes: tests marked `cuda`, time to 94 %, then `marathon` and `marathon-2m` while
# time is left.
#
#     benchmarks/gpu.sh                            # all parts; results/gpu-*.json
#     benchmarks/gpu.sh --parts long               # the longest part alone
#     benchmarks/gpu.sh --minutes 5 --seeds 20 --out /tmp/results
#
# The machine needs Python 3.11 or newer and PyTorch 2.10 or newer with CUDA, and no network: the dataset is in this
# repository. Other packages may travel with it, in build/gpu-packages. To fetch them on a machine with a network, for
# the Python version of the GPU machine:
#
#     pip install --no-deps --only-binary :all: --python-version 3.12 --target build/gpu-packages \
#         numpy pillow onnxruntime protobuf flatbuffers packaging click rich markdown-it-py mdurl pygments filelock \
#         safetensors scipy onnx onnxscript onnx-ir ml-dtypes typing-extensions matplotlib contourpy cycler fonttools \
#         kiwisolver pyparsing python-dateutil six pytest pluggy iniconfig
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src:$PWD/tests:$PWD/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
if [ -d build/gpu-packages ]; then
  PYTHONPATH="$PYTHONPATH:$PWD/build/gpu-packages" # last, so that installed packages come first
fi
exec "${PYTHON:-python3}" benchmarks/gpu.py "$@"
