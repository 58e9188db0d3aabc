"""What schemathesis has to know of this API; it loads this file."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st

# A random text is hardly ever a network.
schemathesis.openapi.format("ip-network", st.ip_addresses().map(str))


@schemathesis.serializer("application/x-ndjson")
def as_text(_context: Any, value: Any) -> bytes:
    """Send lines as they were drawn."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.serializer("text/hl7v2")
def as_message(_context: Any, value: Any) -> bytes:
    """Begin as HL7 v2 does: what does not is refused at once, as another test proves."""
    return b"MSH|^~\\&|" + repr(value).encode("ascii", "backslashreplace")


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Leave clinical documents out: XML of any other root is refused, and the fuzzer draws no other."""
    return bool(case.media_type != "application/cda+xml")
