"""Replaces identifiers by pseudonyms, as a declared profile says, and tells that it did.

A pseudonym is HMAC-SHA-256 under the profile's key, so equal identifiers stay equal and records of one person
stay together, while nobody without the key can tell or guess whose they are. What the profile does not name
stays as it is: free text above all is not searched for identifiers.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.content import jsontext
from caregrid.errors import InputInvalid
from caregrid.preprocessing import provenance
from caregrid.preprocessing.canonical import digest_of
from caregrid.preprocessing.pseudonym_profile import matches

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from caregrid.preprocessing.pseudonym_profile import PseudonymProfile, Rule

_DOMAIN: Final = b"caregrid/pseudonym/v1"
#: 128 bits: no two of all identifiers in the world will meet, and a FHIR id has room for it.
_PSEUDONYM_CHARS: Final = 32
_LABEL: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "PSEUDED"}
_REFERRING: Final = frozenset({"reference", "fullUrl", "url", "ifNoneExist"})
_KIND: Final = r"(?P<before>(?:https?://\S+/)?(?P<kind>[A-Z][A-Za-z]+)/)"
_REFERENCE: Final = re.compile(_KIND + r"(?P<id>[A-Za-z0-9.-]{1,64})(?P<after>(?:/_history/.*)?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pseudonymised:
    """A record with pseudonyms, and what tells of it."""

    content: bytes
    digest: bytes  #: SHA-256 of its canonical form
    provenance: bytes  #: a Provenance resource
    changed: Mapping[str, int]  #: how often a rule, by its path, found something; `ids` counts ids


def pseudonymise(content: bytes, profile: PseudonymProfile, recorded: datetime) -> Pseudonymised:
    """Replace and remove what a profile names, in a resource, what it contains, or a bundle's resources.

    All else keeps its order and digits. Changed resources are labelled PSEUDED in `meta.security`. The
    result may lack what FHIR requires: validate it.

    Raises:
        InputInvalid: it is no JSON object, or nested too deeply; a value to be replaced is no string; or it
            refers to something by a search, which has identifiers in clear.
    """
    resource = jsontext.parse(content)
    if not isinstance(resource, dict):
        raise InputInvalid("a FHIR resource is a JSON object")
    work = _Work(profile)
    try:
        work.resource(resource)
    except RecursionError:
        raise InputInvalid("the content is nested too deeply") from None
    digest = digest_of(resource)
    return Pseudonymised(
        content=jsontext.write(resource),
        digest=digest,
        provenance=provenance.of_pseudonyms(digest, profile.uri, recorded),
        changed=dict(work.changed),
    )


class _Work:
    # One run over one record.

    def __init__(self, profile: PseudonymProfile) -> None:
        self._profile = profile
        self._rules = [(rule, tuple(rule.path.split("."))) for rule in profile.rules]
        self.changed: Counter[str] = Counter()

    def resource(self, resource: dict[str, Any], *, contained: bool = False) -> None:
        before = self.changed.total()
        named = resource.get("resourceType")
        kind = named if isinstance(named, str) else ""
        if kind in self._profile.ids and isinstance(resource.get("id"), str) and not contained:
            resource["id"] = self._pseudonym("id", kind, resource["id"])
            self.changed["ids"] += 1
        self._object(resource, (kind,))
        if self.changed.total() > before and kind != "Bundle":
            self._mark(resource, contained=contained)

    def _object(self, value: dict[str, Any], path: tuple[str, ...]) -> None:
        for name in list(value):
            inner = (*path, name.removeprefix("_"))
            rule = self._rule(inner)
            if rule is not None and rule.do == "remove":
                del value[name]
                self.changed[rule.path] += 1
            elif rule is not None and not name.startswith("_"):
                self._replace(rule, value, name)
            else:
                self._below(value, name, inner)
                if value[name] in ({}, []):
                    del value[name]

    def _below(self, value: dict[str, Any], name: str, path: tuple[str, ...]) -> None:
        inner = value[name]
        if name in _REFERRING and isinstance(inner, str):
            value[name] = self._referred(inner, path)
            return
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, dict) and "resourceType" in each:
                self.resource(each, contained=name == "contained")
            elif isinstance(each, dict):
                self._object(each, path)
        if isinstance(inner, list):
            value[name] = [each for each in inner if each != {}]

    def _rule(self, path: tuple[str, ...]) -> Rule | None:
        return next((rule for rule, pattern in self._rules if matches(pattern, path)), None)

    def _replace(self, rule: Rule, holder: dict[str, Any], name: str) -> None:
        value, system = holder[name], holder.get("system")
        issuer = system if isinstance(system, str) else ""
        if isinstance(value, list):
            holder[name] = [self._one(rule, issuer, each) for each in value]
        else:
            holder[name] = self._one(rule, issuer, value)
        if rule.system is not None:
            holder["system"] = rule.system

    def _one(self, rule: Rule, issuer: str, value: Any) -> str | None:
        if value is None:
            return None  # in an array, beside an extension
        if not isinstance(value, str) or isinstance(value, jsontext.Number):
            raise InputInvalid(f"the profile replaces {rule.path}, which must be a string")
        self.changed[rule.path] += 1
        return self._pseudonym("value", issuer, value)

    def _referred(self, url: str, path: tuple[str, ...]) -> str:
        if path[-1] == "ifNoneExist" or ("?" in url and _searches(path)):
            raise InputInvalid("a reference by search has identifiers in clear; refer by id first")
        match = _REFERENCE.fullmatch(url)
        if match is None or match["kind"] not in self._profile.ids:
            return url
        self.changed["ids"] += 1
        return f"{match['before']}{self._pseudonym('id', match['kind'], match['id'])}{match['after']}"

    def _pseudonym(self, *parts: str) -> str:
        # Each part with its length, so that no two lists of parts give one message.
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return hmac.new(self._profile.key, _DOMAIN + message, hashlib.sha256).hexdigest()[:_PSEUDONYM_CHARS]

    def _mark(self, resource: dict[str, Any], *, contained: bool) -> None:
        if not self._profile.keep_narrative:
            resource.pop("text", None)
        if contained:
            return  # it may have no security label of its own (dom-5); that of its container holds for it
        meta = resource.setdefault("meta", {})
        labels = meta.setdefault("security", []) if isinstance(meta, dict) else []
        if isinstance(labels, list) and _LABEL not in labels:
            labels.append(dict(_LABEL))


def _searches(path: tuple[str, ...]) -> bool:
    return path[-1] == "reference" or path[-2:] == ("request", "url")
