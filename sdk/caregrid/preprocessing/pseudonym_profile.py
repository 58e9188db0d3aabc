"""The declared way in which identifiers become pseudonyms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from caregrid.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_KEY_BYTES: Final = 32

_PATH: Final = re.compile(r"(\*|[A-Z][A-Za-z]*)(\.(\*\*|[a-z][A-Za-z0-9]*))+")
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*:\S+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What is done to one kind of element.

    A path names elements as JSON does, lists left out: `Patient.identifier.value`. `*` stands for any
    resource, and `**`, once, for any elements in between.
    """

    path: str
    do: Literal["hmac", "remove"]
    system: str | None = None  #: goes in the place of the `system` beside a value

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path) or self.path.endswith("*") or self.path.count("**") > 1:
            raise ConfigInvalid(f"a rule needs a path such as Patient.identifier.value, not {self.path}")
        if self.do not in {"hmac", "remove"}:
            raise ConfigInvalid("a pseudonym rule does `hmac` or `remove`")


@dataclass(frozen=True, kw_only=True)
class PseudonymProfile:
    """A declared way to make pseudonyms; the key is a secret like any data key."""

    uri: str  #: names the profile, and stands in the Provenance
    rules: tuple[Rule, ...]
    key: bytes = field(repr=False)
    ids: frozenset[str] = frozenset()  #: kinds of resources whose ids are replaced, references included
    keep_narrative: bool = False  #: a narrative repeats what it tells of, so changed resources lose theirs

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY_BYTES:
            raise ConfigInvalid(f"a pseudonym key has at least {MIN_KEY_BYTES} random bytes")
        if not _URI.fullmatch(self.uri):
            raise ConfigInvalid("a pseudonym profile is named by an absolute URI")

    @classmethod
    def from_mapping(cls, declared: Mapping[str, Any], key: bytes) -> PseudonymProfile:
        """Return a profile from JSON or TOML: `uri`, `rules` of `path` and `do`, `ids`, `keep_narrative`.

        Raises:
            ConfigInvalid: something is missing, unknown or malformed.
        """
        try:
            given = dict(declared)
            rules = tuple(Rule(**rule) for rule in given.pop("rules", ()))
            return cls(rules=rules, key=key, ids=frozenset(given.pop("ids", ())), **given)
        except TypeError:
            raise ConfigInvalid("a pseudonym profile has uri, rules, ids and keep_narrative") from None


def matches(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Tell whether a rule's path, in its parts, means the element at a path."""
    if not pattern or not path:
        return not pattern and not path
    if pattern[0] == "**":
        return any(matches(pattern[1:], path[skipped:]) for skipped in range(len(path)))
    return pattern[0] in {"*", path[0]} and matches(pattern[1:], path[1:])
