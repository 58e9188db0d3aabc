//! Validation for Python.

use caregrid_schema::Schema;
use caregrid_validation::issue::Rule;
use caregrid_validation::{Finding, Options, Report as Found, Validator as Inner};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Severity, FHIR issue type, rule, key, text, path, line, column.
type Row<'r> = (&'r str, &'r str, &'r str, Option<&'r str>, &'r str, &'r str, u32, u32);

/// Judges content by the definitions of one FHIR version.
#[pyclass]
pub struct Validator {
    inner: Inner,
}

#[pymethods]
impl Validator {
    #[new]
    #[pyo3(signature = (definitions, /))]
    fn new(py: Python<'_>, definitions: Bound<'_, PyBytes>) -> PyResult<Self> {
        let packed = definitions.as_bytes();
        let schema =
            py.detach(|| Schema::load(packed)).map_err(|fault| PyValueError::new_err(fault.to_string()))?;
        Ok(Self { inner: Inner::new(schema) })
    }

    /// Add profiles, value sets and code systems.
    #[pyo3(signature = (fragment, /))]
    fn add_structures(&mut self, fragment: &str) -> PyResult<()> {
        self.inner.extend(fragment).map_err(|fault| PyValueError::new_err(fault.to_string()))
    }

    /// Judge content; other threads run meanwhile.
    #[pyo3(signature = (content, max_issues = 100, profiles = Vec::new()))]
    fn validate(
        &self,
        py: Python<'_>,
        content: Bound<'_, PyBytes>,
        max_issues: usize,
        profiles: Vec<String>,
    ) -> Report {
        let bytes = content.as_bytes();
        let options = Options { max_issues, profiles, ..Options::default() };
        Report { found: py.detach(|| self.inner.validate(bytes, &options)) }
    }
}

/// What was found in one content.
#[pyclass(frozen)]
pub struct Report {
    found: Found,
}

#[pymethods]
impl Report {
    #[getter]
    fn valid(&self) -> bool {
        self.found.valid
    }

    #[getter]
    fn resource_type(&self) -> Option<&str> {
        self.found.resource_type.as_deref()
    }

    #[getter]
    fn truncated(&self) -> usize {
        self.found.more
    }

    #[getter]
    fn issues(&self) -> Vec<Row<'_>> {
        self.found.findings.iter().map(row).collect()
    }

    fn outcome_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.found.outcome().to_string().as_bytes())
    }
}

fn row(finding: &Finding) -> Row<'_> {
    let Finding { issue, position } = finding;
    let Rule { severity, code, name } = issue.rule;
    let key = issue.key.as_deref();
    (severity.code(), code, name, key, issue.text.as_ref(), &issue.path, position.line, position.column)
}
