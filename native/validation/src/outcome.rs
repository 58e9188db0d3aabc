//! A report as a FHIR OperationOutcome.

use crate::validator::{Finding, Report};
use serde_json::{json, Value};

const LINE: &str = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line";
const COLUMN: &str = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col";

impl Report {
    /// A FHIR OperationOutcome, in JSON.
    pub fn outcome(&self) -> Value {
        let mut issues: Vec<Value> = self.findings.iter().map(issue).collect();
        if self.more > 0 {
            let text = format!("{} more problems are not listed", self.more);
            issues
                .push(json!({"severity": "information", "code": "informational", "details": {"text": text}}));
        }
        if issues.is_empty() {
            let text = "no problem was found";
            issues
                .push(json!({"severity": "information", "code": "informational", "details": {"text": text}}));
        }
        json!({"resourceType": "OperationOutcome", "issue": issues})
    }
}

fn issue(finding: &Finding) -> Value {
    let issue = &finding.issue;
    let text = match &issue.key {
        Some(key) => format!("{} ({key})", issue.text),
        None => issue.text.to_string(),
    };
    json!({
        "extension": [
            {"url": LINE, "valueInteger": finding.position.line},
            {"url": COLUMN, "valueInteger": finding.position.column},
        ],
        "severity": issue.rule.severity.code(),
        "code": issue.rule.code,
        "details": {"text": text},
        "diagnostics": issue.rule.name,
        "expression": [issue.path],
    })
}
