"""What schemathesis has to know of this API; it loads this file."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def as_text(_context: Any, value: Any) -> bytes:
    """Send lines as they were drawn."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
