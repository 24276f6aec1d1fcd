"""The Proxy-Wasm ABI as data: numbers, encodings, host calls and callbacks."""
