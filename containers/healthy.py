"""Exit 0 if the address on the command line answers with success: the program of the images' health checks.

It logs in with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, if they are set.
"""  # noqa: INP001  # a program

import base64
import os
import sys
from urllib.error import URLError
from urllib.request import Request, urlopen

asked = Request(sys.argv[1])  # noqa: S310  # the address is the image's own
if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
    log_in = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
    asked.add_header("Authorization", f"Basic {base64.b64encode(log_in.encode()).decode()}")
try:
    urlopen(asked, timeout=4).close()  # noqa: S310  # see above
except (URLError, OSError) as error:
    sys.exit(f"{sys.argv[1]}: {error}")
