"""Headers that tell a browser how little it may do with an answer."""

import hashlib
import re
from base64 import b64encode

CSP = b"content-security-policy"
NO_SNIFFING = (b"x-content-type-options", b"nosniff")  # a browser takes an answer for what its Content-Type says
# An answer that is no page loads nothing, and no page shows it in a frame.
NO_PAGE = (CSP, b"default-src 'none'; frame-ancestors 'none'")
NO_PAGE_LINES = b"".join(b"%b: %b\r\n" % header for header in (NO_SNIFFING, NO_PAGE))
_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def docs_policy(page: bytes) -> bytes:
    """Return the policy of a page of FastAPI's, such as /docs, which has no policy of its own.

    Its one script stands in the page. The policy names it by its hash. Nothing that a client sends is in that page, so
    that the hash is always that of FastAPI's own script. Swagger and ReDoc make styles by script.
    """
    hashes = (b64encode(hashlib.sha256(each).digest()) for each in _INLINE.findall(page))
    scripts = b" ".join([b"'self'", *(b"'sha256-%b'" % each for each in hashes)])
    return (
        b"default-src 'self'; script-src %b; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:; "
        b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'" % scripts
    )
