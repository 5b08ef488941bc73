"""Serve an application as `python -m api.serve` does: `benchmarks.headline.serve_app APPLICATION PORT`."""

import gc
import sys

import uvicorn

from api.serve import OPTIONS
from scripts.ports import HOST

if __name__ == "__main__":
    app, port = sys.argv[1:]
    gc.disable()
    uvicorn.run(app, factory=True, host=HOST, port=int(port), **OPTIONS)
