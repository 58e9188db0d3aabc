//! Reed-Solomon arithmetic for Python.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Return `sum(rows[r][k] * shards[k])` for one row after the other; other threads run meanwhile.
#[pyfunction]
#[pyo3(signature = (rows, shards, /))]
pub fn combine<'py>(
    py: Python<'py>,
    rows: Vec<Vec<u8>>,
    shards: Vec<Bound<'py, PyBytes>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let views: Vec<&[u8]> = shards.iter().map(|shard| shard.as_bytes()).collect();
    let length = views.first().map_or(0, |shard| shard.len());
    PyBytes::new_with(py, rows.len() * length, |outputs| {
        py.detach(|| caregrid_erasure::combine(&rows, &views, outputs)).map_err(|_| {
            PyValueError::new_err("give shards of one length, and in each row a coefficient for each")
        })
    })
}
