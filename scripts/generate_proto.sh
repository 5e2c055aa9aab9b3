#!/usr/bin/env bash
# Generates pocl/v1 from proto/pocl/v1 below the folder $1 (default: the repository).
set -euo pipefail
out="$(realpath "${1:-.}")"
cd "$(dirname "$0")/.."
python="$(realpath -s "${PYTHON:-.venv/bin/python}")"
bin="$(dirname "$python")"
"$python" -m grpc_tools.protoc -Iproto \
    --python_out="$out" --pyi_out="$out" \
    --plugin=protoc-gen-mypy_grpc="$bin/protoc-gen-mypy_grpc" \
    --grpc_python_out="$out" --mypy_grpc_out="$out" \
    proto/pocl/v1/*.proto
# Only files that declare a service have stubs; the generator writes empty ones for the rest.
find "$out/pocl/v1" -name '*_pb2_grpc.py*' ! -name '*_service_pb2_grpc.py*' -delete
