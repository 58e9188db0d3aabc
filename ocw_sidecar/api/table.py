"""Every kind of request that the sidecar answers, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ocw_sidecar.api import models
from ocw_sidecar.api.batches import NDJSON, Batches
from ocw_sidecar.api.callers import Scope
from ocw_sidecar.api.erasures import Erasures
from ocw_sidecar.api.erasures import routes as erasure_routes
from ocw_sidecar.api.health import METRICS_TYPE, Health
from ocw_sidecar.api.records import Failures, Records, whoami
from ocw_sidecar.api.releases import Releases
from ocw_sidecar.api.releases import routes as release_routes
from ocw_sidecar.api.reseals import Reseals
from ocw_sidecar.api.reseals import routes as reseal_routes
from ocw_sidecar.api.routes import Answer, Body, Header, Link, Route
from ocw_sidecar.api.threats import ThreatHandlers
from ocw_sidecar.api.threats import routes as threat_routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.api.patients import PatientHandlers
    from ocw_sidecar.api.submissions import Submissions

FHIR: Final = "application/fhir+json"
CONTENT: Final = (
    FHIR,
    "application/dicom",
    "application/cda+xml",
    "text/hl7v2",
    "application/octet-stream",
)

_PATIENT: Final = Header(
    name="X-CareGrid-Patient",
    schema={"type": "string", "pattern": "^(0x)?[0-9a-fA-F]{64}$"},
    description="Whose record it is.",
    required=True,
)
_KEY: Final = Header(
    name="Idempotency-Key",
    schema={"type": "string", "pattern": models.KEY_FORM},
    description="Sent again with the same key, a request is the same submission; of a batch, the same ones.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Handlers:
    """What answers."""

    submissions: Submissions
    batches: Batches
    patients: PatientHandlers
    records: Records
    releases: Releases
    erasures: Erasures
    reseals: Reseals
    threats: ThreatHandlers
    failures: Failures
    health: Health


def table(to: Handlers) -> list[Route]:
    """Return the routes that lead to the handlers."""
    reading = [*_reading(to), *release_routes(to.releases), *_patients(to)]
    keys = [*erasure_routes(to.erasures), *reseal_routes(to.reseals)]
    operating = [*threat_routes(to.threats), *_operating(to), *_health(to.health)]
    return [*_submitting(to), *reading, *keys, *operating]


def _link(resource: str) -> Link:
    return Link(path=f"/v1/{resource}/{{id}}", pointer=f"/{resource.removesuffix('s')}")


def _submitting(to: Handlers) -> Sequence[Route]:
    accepted = Answer(
        status=202, description="It is durable.", model=models.Accepted, leads_to=_link("submissions")
    )
    lines = Answer(status=200, description="A line for a line.", model=models.LineAnswer, media=NDJSON)
    return [
        Route(
            method="POST",
            path="/v1/submissions",
            handler=to.submissions.post,
            summary="Hand a FHIR resource, a Bundle or a file over",
            scope=Scope.SUBMIT,
            headers=(_PATIENT, _KEY),
            body=Body(media=CONTENT),
            answers=(accepted,),
        ),
        Route(
            method="POST",
            path="/v1/batches",
            handler=to.batches.post,
            summary="Hand many FHIR resources over, one in a line; a bad line stops no other",
            scope=Scope.SUBMIT,
            headers=(_KEY,),
            body=Body(media=(NDJSON,), model=models.BatchLine),
            answers=(lines,),
        ),
    ]


def _reading(to: Handlers) -> Sequence[Route]:
    progress = Answer(status=200, description="How far it is.", model=models.Progress)
    return [
        Route(
            method="GET",
            path="/v1/submissions",
            handler=to.submissions.find,
            summary="List submissions, the newest first",
            scope=Scope.READ,
            query=models.SubmissionsQuery,
            answers=(Answer(status=200, description="A page.", model=models.SubmissionList),),
        ),
        Route(
            method="GET",
            path="/v1/submissions/{id}",
            handler=to.submissions.get,
            summary="Say how far a submission has come; with wait, when it is settled",
            scope=Scope.READ,
            query=models.WaitQuery,
            path_lengths={"id": 16},
            answers=(progress,),
        ),
        Route(
            method="GET",
            path="/v1/records",
            handler=to.submissions.find_records,
            summary="List records, the newest first",
            scope=Scope.READ,
            query=models.RecordsQuery,
            answers=(Answer(status=200, description="A page.", model=models.RecordList),),
        ),
        Route(
            method="POST",
            path="/v1/records/{id}/key",
            handler=to.records.release_key,
            summary="Hand out a record's data key, wrapped to an account that may read it now; it is logged",
            scope=Scope.RELEASE_KEYS,
            path_lengths={"id": 16},
            body=Body(model=models.KeyWish),
            answers=(Answer(status=200, description="The key.", model=models.ReleasedKey),),
        ),
    ]


def _patients(to: Handlers) -> Sequence[Route]:
    return [
        Route(
            method="POST",
            path="/v1/patients",
            handler=to.patients.post,
            summary="Have a patient registered on chain",
            scope=Scope.SUBMIT,
            body=Body(model=models.PatientWish),
            answers=(
                Answer(
                    status=202,
                    description="It is durable.",
                    model=models.PatientState,
                    leads_to=_link("patients"),
                ),
            ),
        ),
        Route(
            method="GET",
            path="/v1/patients",
            handler=to.patients.find,
            summary="List patients that were registered here or named by a submission",
            scope=Scope.READ,
            query=models.PatientsQuery,
            answers=(Answer(status=200, description="A page.", model=models.PatientList),),
        ),
        Route(
            method="GET",
            path="/v1/patients/{id}",
            handler=to.patients.get,
            summary="Say how far a registration is; with wait, when it is at its end",
            scope=Scope.READ,
            query=models.WaitQuery,
            path_lengths={"id": 32},
            answers=(Answer(status=200, description="How far it is.", model=models.PatientState),),
        ),
    ]


def _operating(to: Handlers) -> Sequence[Route]:
    return [
        Route(
            method="POST",
            path="/v1/failures/replay",
            handler=to.failures.replay,
            summary="Give everything that failed another chance",
            scope=Scope.OPERATE,
            answers=(Answer(status=200, description="How much.", model=models.AllReplayed),),
        ),
        Route(
            method="GET",
            path="/v1/whoami",
            handler=whoami,
            summary="Say who the caller is here, and what he may do",
            answers=(Answer(status=200, description="The caller.", model=models.Identity),),
        ),
    ]


def _health(health: Health) -> Sequence[Route]:
    return [
        Route(
            method="GET",
            path="/livez",
            handler=health.livez,
            summary="Answer at all",
            guarded=False,
            answers=(Answer(status=200, description="It lives.", model=models.Alive),),
        ),
        Route(
            method="GET",
            path="/readyz",
            handler=health.readyz,
            summary="Say whether submissions are taken in, and if not why",
            guarded=False,
            answers=(
                Answer(status=200, description="They are.", model=models.Ready),
                Answer(status=503, description="They are not, for these reasons.", model=models.Ready),
            ),
        ),
        Route(
            method="GET",
            path="/metrics",
            handler=health.metrics,
            summary="Figures for Prometheus",
            guarded=False,
            answers=(Answer(status=200, description="Prometheus' text format.", media=METRICS_TYPE),),
        ),
    ]
