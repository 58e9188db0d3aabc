"""The synthetic patient's life as FHIR resources."""

from __future__ import annotations

import base64
import json
from typing import Any

from example_data.chart import Chart, Json, concept, quantity, rounded, term
from example_data.facts import (
    ALLERGIES,
    CVX,
    DIABETES,
    DIAGNOSES,
    DICOM_CODES,
    EMERGENCY,
    FEVER,
    LAB_RESULTS,
    LABS,
    LAST,
    LOINC,
    PNEUMONIA,
    PRESCRIPTIONS,
    RXNORM,
    SNOMED,
    STAY,
    TEMPERATURE,
    TERMINOLOGY,
    VACCINES,
    VISITS,
    VITALS,
    Allergy,
    Diagnosis,
    Lab,
    Prescription,
    Vaccine,
    Visit,
    Vital,
)


class Story:
    """The life of the synthetic patient, told as resources."""

    def __init__(self) -> None:
        self.chart = Chart()
        self.hospital = self.organisation("Example Hospital of Testville", "prov", "Healthcare Provider")
        self.laboratory = self.organisation("Example Laboratory", "prov", "Healthcare Provider")
        self.insurer = self.organisation("Example Mutual Insurance", "ins", "Insurance Company")
        self.physician = self.practitioner("Synthia", "Placeholder", "female")
        self.radiologist = self.practitioner("Dummy", "Mockwell", "male")
        self.patient = self.person()
        self.visits = [self.visit(each) for each in VISITS]
        self.diagnoses = [self.diagnosis(each) for each in DIAGNOSES]

    def tell(self) -> Json:
        """Return the whole bundle."""
        self.background()
        self.vital_signs()
        reports = {visit: self.lab_report(visit, results) for visit, results in LAB_RESULTS.items()}
        self.haemolysed_sample()
        for prescription in PRESCRIPTIONS:
            self.prescription(prescription)
        for vaccine in VACCINES:
            self.vaccine(vaccine)
        self.chest_film()
        self.bronchoscopy(reports[STAY])
        self.plan()
        self.notes()
        return self.chart.bundle()

    def organisation(self, name: str, code: str, display: str) -> Json:
        """Add one organisation."""
        kind = concept(f"{TERMINOLOGY}/organization-type", code, display)
        return self.chart.put("Organization", active=True, type=[kind], name=name)

    def practitioner(self, given: str, family: str, gender: str) -> Json:
        """Add one practitioner and his role in the hospital."""
        name = {"use": "official", "family": family, "given": [given], "prefix": ["Dr."]}
        practitioner = self.chart.put("Practitioner", active=True, name=[name], gender=gender)
        self.chart.add(
            "PractitionerRole",
            active=True,
            practitioner=practitioner,
            organization=self.hospital,
            code=[concept(SNOMED, "309343006", "Physician (occupation)")],
        )
        return practitioner

    def person(self) -> Json:
        """Add the patient."""
        number = {"use": "usual", "type": term("v2-0203", "MR")}
        relative = {"relationship": [term("v2-0131", "N")], "gender": "male"}
        return self.chart.put(
            "Patient",
            identifier=[{**number, "system": "https://hospital.example/mrn", "value": "SYNTHETIC-000001"}],
            active=True,
            name=[{"use": "official", "family": "Testpatient", "given": ["Examplina", "Synthetica"]}],
            telecom=[{"system": "phone", "value": "+1-555-0100", "use": "home"}],
            gender="female",
            birthDate="1961-08-14",
            deceasedBoolean=False,
            address=[{"use": "home", "line": ["1 Fictional Lane"], "city": "Testville", "country": "US"}],
            maritalStatus=term("v3-MaritalStatus", "M"),
            contact=[{**relative, "name": {"family": "Testpatient", "given": ["Placebo"]}}],
            communication=[{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}}],
            generalPractitioner=[self.physician],
            managingOrganization=self.hospital,
        )

    def visit(self, visit: Visit) -> Json:
        """Add one encounter; a stay happens on a ward of its own."""
        act = {"system": f"{TERMINOLOGY}/v3-ActCode", "code": visit.code, "display": visit.display}
        return self.chart.add(
            "Encounter",
            status="finished",
            **{"class": act},
            subject=self.patient,
            participant=[{"individual": self.physician}],
            period={"start": f"{visit.day}T08:30:00Z", "end": f"{visit.end or visit.day}T11:45:00Z"},
            reasonCode=[concept(SNOMED, visit.reason, visit.reason_name)],
            location=[{"location": self.ward(), "status": "completed"}] if visit.end else None,
            serviceProvider=self.hospital,
        )

    def ward(self) -> Json:
        """Add the place of a stay."""
        return self.chart.put(
            "Location",
            status="active",
            name="Ward 3, Example Hospital",
            mode="instance",
            type=[term("v3-RoleCode", "HOSP")],
            managingOrganization=self.hospital,
        )

    def diagnosis(self, diagnosis: Diagnosis) -> Json:
        """Add one condition."""
        return self.chart.add(
            "Condition",
            clinicalStatus=term("condition-clinical", diagnosis.status),
            verificationStatus=term("condition-ver-status", "confirmed"),
            category=[term("condition-category", "problem-list-item")],
            code=concept(SNOMED, diagnosis.code, diagnosis.name),
            subject=self.patient,
            encounter=self.visits[diagnosis.visit],
            onsetDateTime=diagnosis.onset,
            abatementDateTime=diagnosis.end,
            recordedDate=VISITS[diagnosis.visit].day,
            recorder=self.physician,
        )

    def background(self) -> None:
        """Add allergies, family history, insurance, consent and smoking status."""
        for allergy in ALLERGIES:
            self.allergy(allergy)
        diabetes = concept(SNOMED, DIAGNOSES[DIABETES].code, DIAGNOSES[DIABETES].name)
        self.chart.add(
            "FamilyMemberHistory",
            status="completed",
            patient=self.patient,
            date=VISITS[0].day,
            relationship=concept(f"{TERMINOLOGY}/v3-RoleCode", "MTH", "mother"),
            condition=[{"code": diabetes, "onsetAge": quantity(58, "years", "a")}],
        )
        self.chart.add(
            "Coverage",
            status="active",
            subscriberId="SYNTHETIC-POLICY-1",
            beneficiary=self.patient,
            period={"start": "2019-01-01"},
            payor=[self.insurer],
        )
        self.consent()
        tobacco = concept(LOINC, "72166-2", "Tobacco smoking status")
        smoker = concept(SNOMED, "8517006", "Ex-smoker (finding)")
        self.observation(0, "social-history", tobacco, valueCodeableConcept=smoker)

    def allergy(self, allergy: Allergy) -> None:
        """Add one allergy and its reaction."""
        sign = concept(SNOMED, allergy.sign, allergy.sign_name)
        self.chart.add(
            "AllergyIntolerance",
            clinicalStatus=term("allergyintolerance-clinical", "active"),
            verificationStatus=term("allergyintolerance-verification", "confirmed"),
            type="allergy",
            category=[allergy.category],
            criticality=allergy.criticality,
            code=concept(SNOMED, allergy.code, allergy.name),
            patient=self.patient,
            recordedDate=VISITS[0].day,
            recorder=self.physician,
            reaction=[{"manifestation": [sign], "severity": "moderate"}],
        )

    def consent(self) -> None:
        """Add the patient's consent."""
        self.chart.add(
            "Consent",
            status="active",
            scope=term("consentscope", "patient-privacy"),
            category=[concept(LOINC, "59284-0", "Consent Document")],
            patient=self.patient,
            dateTime=VISITS[0].day,
            organization=[self.hospital],
            policyRule=term("v3-ActCode", "OPTIN"),
            provision={"type": "permit"},
        )

    def observation(self, visit: int, category: str, code: Json, **fields: Any) -> Json:
        """Add one observation made at a visit."""
        return self.chart.add(
            "Observation",
            status="final",
            category=[term("observation-category", category)],
            code=code,
            subject=self.patient,
            encounter=self.visits[visit],
            effectiveDateTime=f"{VISITS[visit].day}T08:45:00Z",
            **{"performer": [self.physician], **fields},
        )

    def vital_signs(self) -> None:
        """Add the height once, and the other vital signs of every visit that is not a stay."""
        height = concept(LOINC, "8302-2", "Body height")
        self.observation(0, "vital-signs", height, valueQuantity=quantity(166, "cm", "cm"))
        for visit in range(len(VISITS)):
            if visit != STAY:
                self.blood_pressure(visit)
                for vital in VITALS:
                    self.vital_sign(visit, vital)

    def vital_sign(self, visit: int, vital: Vital) -> None:
        """Add one vital sign near its usual value; the emergency is a fever."""
        value = rounded(self.chart.random.gauss(vital.usual, vital.spread / 2), vital.decimals)
        measured = FEVER if vital is TEMPERATURE and visit == EMERGENCY else value
        code = concept(LOINC, vital.code, vital.name)
        self.observation(visit, "vital-signs", code, valueQuantity=quantity(measured, vital.unit, vital.ucum))

    def blood_pressure(self, visit: int) -> None:
        """Add a blood pressure, which falls over the years of treatment."""
        systolic = round(158 - 5 * visit + self.chart.random.gauss(0, 2))
        parts = (
            (concept(LOINC, "8480-6", "Systolic blood pressure"), systolic),
            (concept(LOINC, "8462-4", "Diastolic blood pressure"), systolic - 52),
        )
        self.observation(
            visit,
            "vital-signs",
            concept(LOINC, "85354-9", "Blood pressure panel with all children optional"),
            bodySite=concept(SNOMED, "368209003", "Right upper arm structure (body structure)"),
            component=[
                {"code": code, "valueQuantity": quantity(value, "mmHg", "mm[Hg]")} for code, value in parts
            ],
        )

    def lab_report(self, visit: int, results: dict[str, float]) -> Json:
        """Add an order, its sample, the results and their report; return the report."""
        order = self.lab_order(visit)
        sample = self.chart.add(
            "Specimen",
            status="available",
            type=concept(SNOMED, "119297000", "Blood specimen (specimen)"),
            subject=self.patient,
            request=[order],
            collection={"collectedDateTime": f"{VISITS[visit].day}T08:55:00Z"},
        )
        found = [self.lab_result(visit, LABS[name], value, sample) for name, value in results.items()]
        return self.chart.add(
            "DiagnosticReport",
            basedOn=[order],
            status="final",
            category=[term("v2-0074", "LAB")],
            code=concept(LOINC, "11502-2", "Laboratory report"),
            subject=self.patient,
            encounter=self.visits[visit],
            effectiveDateTime=f"{VISITS[visit].day}T08:55:00Z",
            issued=f"{VISITS[visit].day}T14:20:00.000Z",
            performer=[self.laboratory],
            specimen=[sample],
            result=found,
        )

    def lab_order(self, visit: int) -> Json:
        """Add the order for a visit's tests."""
        return self.chart.add(
            "ServiceRequest",
            status="completed",
            intent="order",
            priority="routine",
            code=concept(SNOMED, "108252007", "Laboratory procedure (procedure)"),
            subject=self.patient,
            encounter=self.visits[visit],
            authoredOn=f"{VISITS[visit].day}T08:50:00Z",
            requester=self.physician,
        )

    def lab_result(self, visit: int, lab: Lab, value: float, sample: Json) -> Json:
        """Add one result with its reference range and what to think of it."""
        flag = "L" if value < lab.low else "H" if value > lab.high else "N"
        low, high = (quantity(limit, lab.unit, lab.unit) for limit in (lab.low, lab.high))
        return self.observation(
            visit,
            "laboratory",
            concept(LOINC, lab.code, lab.name),
            performer=[self.laboratory],
            specimen=sample,
            valueQuantity=quantity(rounded(value, lab.decimals), lab.unit, lab.unit),
            interpretation=[term("v3-ObservationInterpretation", flag)],
            referenceRange=[{"low": low, "high": high}],
        )

    def haemolysed_sample(self) -> None:
        """Add the one resource that is not valid: words where the number belongs, as some systems send."""
        lab = LABS["potassium"]
        broken = {**quantity(0, lab.unit, lab.unit), "value": "not measurable, sample haemolysed"}
        code = concept(LOINC, lab.code, lab.name)
        self.observation(LAST, "laboratory", code, performer=[self.laboratory], valueQuantity=broken)

    def prescription(self, prescription: Prescription) -> None:
        """Add one prescription."""
        daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
        self.chart.add(
            "MedicationRequest",
            status=prescription.status,
            intent="order",
            medicationCodeableConcept=concept(RXNORM, prescription.code, prescription.name),
            subject=self.patient,
            encounter=self.visits[prescription.visit],
            authoredOn=f"{VISITS[prescription.visit].day}T09:05:00Z",
            requester=self.physician,
            reasonReference=[self.diagnoses[prescription.diagnosis]],
            dosageInstruction=[{"sequence": 1, "text": prescription.dosage, "timing": daily}],
        )

    def vaccine(self, vaccine: Vaccine) -> None:
        """Add one vaccination."""
        self.chart.add(
            "Immunization",
            status="completed",
            vaccineCode=concept(CVX, vaccine.code, vaccine.name),
            patient=self.patient,
            encounter=self.visits[vaccine.visit],
            occurrenceDateTime=f"{VISITS[vaccine.visit].day}T09:10:00Z",
            primarySource=True,
            lotNumber=vaccine.lot,
            doseQuantity=quantity(0.5, "mL", "mL"),
            performer=[{"actor": self.physician}],
        )

    def chest_film(self) -> None:
        """Add the X-ray study of the pneumonia and what the radiologist saw."""
        study = self.imaging_study()
        self.chart.add(
            "DiagnosticReport",
            status="final",
            category=[term("v2-0074", "RAD")],
            code=concept(LOINC, "36643-5", "XR Chest 2 Views"),
            subject=self.patient,
            encounter=self.visits[EMERGENCY],
            effectiveDateTime="2021-01-27T10:05:00Z",
            issued="2021-01-27T11:30:00.000Z",
            performer=[self.radiologist],
            imagingStudy=[study],
            conclusion="Consolidation of the right lower lobe. No effusion.",
        )

    def imaging_study(self) -> Json:
        """Add a study of one image."""
        study, series, image = (f"2.25.{self.chart.random.getrandbits(120)}" for _ in range(3))
        sop_class = {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.1.1"}
        thorax = {"system": SNOMED, "code": "51185008", "display": "Thoracic structure (body structure)"}
        one_series = {
            "uid": series,
            "number": 1,
            "modality": {"system": DICOM_CODES, "code": "DX", "display": "Digital Radiography"},
            "bodySite": thorax,
            "instance": [{"uid": image, "sopClass": sop_class, "number": 1}],
        }
        return self.chart.add(
            "ImagingStudy",
            identifier=[{"system": "urn:dicom:uid", "value": f"urn:oid:{study}"}],
            status="available",
            subject=self.patient,
            encounter=self.visits[EMERGENCY],
            started="2021-01-27T10:05:00Z",
            numberOfSeries=1,
            numberOfInstances=1,
            series=[one_series],
        )

    def bronchoscopy(self, report: Json) -> None:
        """Add the procedure done during the stay."""
        self.chart.add(
            "Procedure",
            status="completed",
            code=concept(SNOMED, "10847001", "Bronchoscopy (procedure)"),
            subject=self.patient,
            encounter=self.visits[STAY],
            performedPeriod={"start": "2021-01-29T09:00:00Z", "end": "2021-01-29T09:25:00Z"},
            performer=[{"actor": self.physician}],
            reasonReference=[self.diagnoses[PNEUMONIA]],
            report=[report],
        )

    def plan(self) -> None:
        """Add goal, team and plan for the diabetes."""
        team = self.chart.add(
            "CareTeam",
            status="active",
            name="Diabetes team",
            subject=self.patient,
            participant=[{"member": self.physician, "onBehalfOf": self.hospital}, {"member": self.patient}],
            managingOrganization=[self.hospital],
        )
        diet = {"status": "in-progress", "code": concept(SNOMED, "160670007", "Diabetic diet (finding)")}
        self.chart.add(
            "CarePlan",
            status="active",
            intent="plan",
            category=[concept(SNOMED, "698360004", "Diabetes self management plan (record artifact)")],
            subject=self.patient,
            encounter=self.visits[1],
            period={"start": VISITS[1].day},
            careTeam=[team],
            addresses=[self.diagnoses[DIABETES]],
            goal=[self.goal()],
            activity=[{"detail": diet}],
        )

    def goal(self) -> Json:
        """Add what the diabetes plan is for."""
        lab = LABS["hba1c"]
        limit = {**quantity(7, lab.unit, lab.unit), "comparator": "<"}
        return self.chart.add(
            "Goal",
            lifecycleStatus="active",
            achievementStatus=term("goal-achievement", "improving"),
            description={"text": "Keep HbA1c below 7 %"},
            subject=self.patient,
            startDate=VISITS[1].day,
            target=[
                {
                    "measure": concept(LOINC, lab.code, lab.name),
                    "detailQuantity": limit,
                    "dueDate": "2022-03-16",
                }
            ],
            addresses=[self.diagnoses[DIABETES]],
        )

    def notes(self) -> None:
        """Add the written documents."""
        self.note(
            STAY,
            concept(LOINC, "18842-5", "Discharge summary"),
            "Synthetic text. Pneumonia of the right lower lobe, treated with azithromycin.\n"
            "Afebrile from day three. Discharged home; control in four weeks.\n",
        )
        self.note(
            LAST,
            concept(LOINC, "11506-3", "Progress note"),
            "Synthetic text. Feels well, walks daily. Blood pressure at goal under lisinopril.\n"
            "Potassium to be repeated, first sample haemolysed.\n",
        )

    def note(self, visit: int, kind: Json, text: str) -> None:
        """Add one written document."""
        data = base64.b64encode(text.encode()).decode("ascii")
        self.chart.add(
            "DocumentReference",
            status="current",
            docStatus="final",
            type=kind,
            subject=self.patient,
            date=f"{VISITS[visit].end or VISITS[visit].day}T12:00:00Z",
            author=[self.physician],
            custodian=self.hospital,
            content=[
                {"attachment": {"contentType": "text/plain; charset=utf-8", "language": "en", "data": data}}
            ],
            context={"encounter": [self.visits[visit]]},
        )


def bundle_bytes() -> bytes:
    """Return the example bundle as it stands in examples/."""
    return (json.dumps(Story().tell(), indent=1, ensure_ascii=False) + "\n").encode()
