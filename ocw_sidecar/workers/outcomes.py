"""What several checks of one object come to together."""

from __future__ import annotations

from caregrid.chain.port import AuditOutcome


def combined(*outcomes: AuditOutcome) -> AuditOutcome:
    """Return the worst trouble that a check has found; without any, one that passed is enough."""
    worst = max(outcomes, key=lambda each: each.severity)
    if worst in {AuditOutcome.PASSED, AuditOutcome.UNKNOWN}:
        return min(outcomes, key=lambda each: each.severity)
    return worst
