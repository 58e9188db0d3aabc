"""The facts of the synthetic patient's life, and the code systems they are told in."""

from __future__ import annotations

from typing import Final, NamedTuple

#: Everything that looks random follows from this.
SEED: Final = 20_240_229

TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX: Final = "http://hl7.org/fhir/sid/cvx"
UCUM: Final = "http://unitsofmeasure.org"
DICOM_CODES: Final = "http://dicom.nema.org/resources/ontology/DCM"

#: The tag by which receivers keep test data apart from real patients.
TEST_DATA: Final = {"system": f"{TERMINOLOGY}/v3-ActReason", "code": "HTEST", "display": "test health data"}


class Visit(NamedTuple):
    """One encounter, by its ActCode class and its SNOMED reason."""

    day: str
    code: str
    display: str
    reason: str
    reason_name: str
    end: str | None = None


class Lab(NamedTuple):
    """One laboratory test, by its LOINC code, with unit and reference limits."""

    code: str
    name: str
    unit: str
    low: float
    high: float
    decimals: int


class Vital(NamedTuple):
    """One vital sign, by its LOINC code, with the patient's usual value and its spread."""

    code: str
    name: str
    unit: str
    ucum: str
    usual: float
    spread: float
    decimals: int


class Diagnosis(NamedTuple):
    """One condition, by its SNOMED code, made at a visit."""

    code: str
    name: str
    onset: str
    end: str | None
    status: str
    visit: int


class Allergy(NamedTuple):
    """One allergy and its sign, by their SNOMED codes."""

    code: str
    name: str
    category: str
    criticality: str
    sign: str
    sign_name: str


class Prescription(NamedTuple):
    """One medication, by its RxNorm code, prescribed at a visit for a diagnosis."""

    code: str
    name: str
    dosage: str
    status: str
    visit: int
    diagnosis: int


class Vaccine(NamedTuple):
    """One vaccination, by its CVX code, given at a visit."""

    code: str
    name: str
    lot: str
    visit: int


CHECK_UP: Final = ("AMB", "ambulatory", "185349003", "Encounter for check up (procedure)")
VISITS: Final = (
    Visit("2019-03-11", *CHECK_UP),
    Visit("2020-03-16", *CHECK_UP),
    Visit("2021-01-27", "EMER", "emergency", "50849002", "Emergency room admission (procedure)"),
    Visit("2021-01-28", "IMP", "inpatient encounter", "233604007", "Pneumonia (disorder)", "2021-02-02"),
    Visit("2022-04-05", *CHECK_UP),
    Visit("2024-02-29", *CHECK_UP),
)
EMERGENCY, STAY, LAST = 2, 3, 5

LABS: Final = {
    "hba1c": Lab("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4.0, 5.6, 1),
    "glucose": Lab("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 70, 99, 0),
    "creatinine": Lab("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 0.5, 1.1, 2),
    "sodium": Lab("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L", 136, 145, 0),
    "potassium": Lab("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", 3.5, 5.1, 1),
    "cholesterol": Lab("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", 0, 199, 0),
    "hdl": Lab("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma", "mg/dL", 50, 90, 0),
    "triglyceride": Lab("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "mg/dL", 0, 149, 0),
    "crp": Lab("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma", "mg/L", 0, 5, 1),
    "leukocytes": Lab("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 4.5, 11, 1),
}
#: What the laboratory measured, by visit.
LAB_RESULTS: Final = {
    0: {"hba1c": 6.3, "glucose": 118, "creatinine": 0.82, "cholesterol": 243, "hdl": 44, "triglyceride": 188},
    1: {"hba1c": 7.4, "glucose": 151, "creatinine": 0.86, "cholesterol": 231, "hdl": 45, "triglyceride": 176},
    3: {"crp": 118.4, "leukocytes": 15.2, "creatinine": 1.04, "sodium": 134, "potassium": 3.6},
    4: {"hba1c": 6.8, "glucose": 127, "creatinine": 0.88, "cholesterol": 178, "hdl": 51, "triglyceride": 139},
    5: {"hba1c": 6.5, "glucose": 113, "creatinine": 0.91, "sodium": 140},
}

TEMPERATURE: Final = Vital("8310-5", "Body temperature", "Cel", "Cel", 36.7, 0.3, 1)
VITALS: Final = (
    Vital("8867-4", "Heart rate", "beats/minute", "/min", 76, 8, 0),
    Vital("9279-1", "Respiratory rate", "breaths/minute", "/min", 15, 2, 0),
    Vital("29463-7", "Body weight", "kg", "kg", 83.5, 2.5, 1),
    Vital("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "%", "%", 97, 1, 0),
    TEMPERATURE,
)
FEVER: Final = 39.1

DIAGNOSES: Final = (
    Diagnosis("59621000", "Essential hypertension (disorder)", "2019-03-11", None, "active", 0),
    Diagnosis("55822004", "Hyperlipidemia (disorder)", "2019-03-11", None, "active", 0),
    Diagnosis("44054006", "Diabetes mellitus type 2 (disorder)", "2020-03-16", None, "active", 1),
    Diagnosis("233604007", "Pneumonia (disorder)", "2021-01-25", "2021-02-19", "resolved", STAY),
)
DIABETES, PNEUMONIA = 2, 3

ALLERGIES: Final = (
    Allergy(
        "91936005", "Allergy to penicillin (finding)", "medication", "high", "247472004", "Wheal (finding)"
    ),
    Allergy("91935009", "Allergy to peanut (finding)", "food", "low", "418290006", "Itching (finding)"),
)

METFORMIN: Final = "24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet"
PRESCRIPTIONS: Final = (
    Prescription("314076", "lisinopril 10 MG Oral Tablet", "one tablet every morning", "active", 0, 0),
    Prescription("617310", "atorvastatin 20 MG Oral Tablet", "one tablet every evening", "active", 1, 1),
    Prescription("860975", METFORMIN, "two tablets with the evening meal", "active", 1, DIABETES),
    Prescription(
        "308460", "azithromycin 250 MG Oral Tablet", "two tablets a day", "completed", STAY, PNEUMONIA
    ),
)

VACCINES: Final = (
    Vaccine("113", "Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed", "SYN-0113", 0),
    Vaccine("140", "Influenza, seasonal, injectable, preservative free", "SYN-0140", 1),
    Vaccine("33", "pneumococcal polysaccharide vaccine, 23 valent", "SYN-0033", 4),
)
