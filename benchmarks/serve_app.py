"""Serves an application as `python -m api.serve` does: `python -m benchmarks.serve_app MODULE:FACTORY PORT`."""

import sys

import uvicorn

from api.serve import OPTIONS
from api.short_http import ShortHttp
from scripts.ports import HOST

if __name__ == "__main__":
    app, port = sys.argv[1:]
    uvicorn.run(app, factory=True, host=HOST, port=int(port), http=ShortHttp, **OPTIONS)
