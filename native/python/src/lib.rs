//! What Python sees of the native part: the module `caregrid_native`.

mod erasure;
mod podr2;
mod validation;

use pyo3::prelude::*;

#[pymodule]
fn caregrid_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<podr2::PublicTagger>()?;
    module.add_class::<podr2::PublicVerifier>()?;
    module.add_class::<podr2::PrivateAuditor>()?;
    module.add_function(wrap_pyfunction!(podr2::podr2_challenge, module)?)?;
    module.add_function(wrap_pyfunction!(podr2::podr2_challenge_of, module)?)?;
    module.add_function(wrap_pyfunction!(podr2::podr2_prove, module)?)?;
    module.add_function(wrap_pyfunction!(podr2::podr2_check_proof, module)?)?;
    module.add_function(wrap_pyfunction!(podr2::podr2_verify_batch, module)?)?;
    module.add_class::<validation::Validator>()?;
    module.add_class::<validation::Report>()?;
    module.add_function(wrap_pyfunction!(erasure::combine, module)?)?;
    module.add_function(wrap_pyfunction!(erasure::disperse, module)?)
}
