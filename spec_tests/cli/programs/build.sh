#!/bin/sh
# Rebuilds the programs; needs ziglang from PyPI (pip install ziglang).
cd "$(dirname "$0")" || exit 1
for name in echo files chance posix; do
    python -m ziglang cc --target=wasm32-wasi -Os -s -o $name.wasm $name.c || exit 1
done
# Without libc, and with the names of its functions.
python -m ziglang cc --target=wasm32-wasi -O1 -g0 -nostdlib -o abort.wasm abort.c
chmod 644 ./*.wasm
