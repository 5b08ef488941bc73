"""Exit 0 if the address on the command line answers with success: the program of the images' health checks."""  # noqa: INP001  # a program

import sys
from urllib.error import URLError
from urllib.request import urlopen

try:
    urlopen(sys.argv[1], timeout=4).close()  # noqa: S310  # the address is the image's own
except (URLError, OSError) as error:
    sys.exit(f"{sys.argv[1]}: {error}")
