#!/bin/sh
# The tools joulecast is set beside, in their own virtual environment (.bench/peers).
set -eu
cd "$(dirname "$0")/../.."
"${PYTHON:-python3}" -m venv .bench/peers
.bench/peers/bin/pip install --quiet -r benchmarks/peers/requirements.txt -c constraints.txt
