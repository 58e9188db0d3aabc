//! What Python sees of the native part: the module `caregrid_native`.

mod erasure;
mod validation;

use pyo3::prelude::*;

#[pymodule]
fn caregrid_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<validation::Validator>()?;
    module.add_class::<validation::Report>()?;
    module.add_function(wrap_pyfunction!(erasure::combine, module)?)?;
    module.add_function(wrap_pyfunction!(erasure::disperse, module)?)
}
