"""Serve an application as `python -m api.serve` does: `benchmarks.headline.serve_app APPLICATION PORT`."""

import sys

import uvicorn

from api.serve import OPTIONS, start_lightly
from scripts.ports import HOST

if __name__ == "__main__":
    app, port = sys.argv[1:]
    start_lightly()
    from api.fastpath.uvicorn_protocol import ShortHttp

    uvicorn.run(app, factory=True, host=HOST, port=int(port), http=ShortHttp, **OPTIONS)
