//! Proofs of retrievability for Python. Other threads run during all but the shortest of these calls.

use caregrid_podr2::public::{Claim, Proof, PublicKey};
use caregrid_podr2::{challenge, name, private, public, Challenge, Fault, Fragment};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// First byte of what belongs to the private scheme, its lower half apart.
const PRIVATE: u8 = 0x20;

/// The owner's key of the public scheme.
#[pyclass(frozen)]
pub struct PublicTagger(public::SecretKey);

#[pymethods]
impl PublicTagger {
    #[new]
    #[pyo3(signature = (seed, /))]
    fn new(seed: &[u8]) -> PyResult<Self> {
        public::SecretKey::new(seed).map(Self).map_err(refusal)
    }

    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.0.public_key()))
    }

    #[pyo3(signature = (fragment, digest, threads, /))]
    fn tag<'py>(
        &self,
        py: Python<'py>,
        fragment: Bound<'py, PyBytes>,
        digest: &[u8],
        threads: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let fragment = Fragment::new(fragment.as_bytes()).map_err(refusal)?;
        let name = name(digest).map_err(refusal)?;
        Ok(PyBytes::new(py, &py.detach(|| self.0.tag(fragment, &name, threads))))
    }
}

/// An owner's public key.
#[pyclass(frozen)]
pub struct PublicVerifier(PublicKey);

#[pymethods]
impl PublicVerifier {
    #[new]
    #[pyo3(signature = (encoded, /))]
    fn new(py: Python<'_>, encoded: Bound<'_, PyBytes>) -> PyResult<Self> {
        let encoded = encoded.as_bytes();
        py.detach(|| PublicKey::decode(encoded)).map(Self).map_err(refusal)
    }

    #[pyo3(signature = (digest, challenge, proof, threads, /))]
    fn verify(
        &self,
        py: Python<'_>,
        digest: &[u8],
        challenge: &[u8],
        proof: &[u8],
        threads: usize,
    ) -> PyResult<bool> {
        let name = name(digest).map_err(refusal)?;
        let challenge = Challenge::decode(challenge).map_err(refusal)?;
        let Ok(proof) = Proof::decode(proof) else { return Ok(false) };
        Ok(py.detach(|| self.0.verify(&name, &challenge, &proof, threads)))
    }

    #[pyo3(signature = (fragment, digest, tags, threads, /))]
    fn accepts_tags(
        &self,
        py: Python<'_>,
        fragment: Bound<'_, PyBytes>,
        digest: &[u8],
        tags: &[u8],
        threads: usize,
    ) -> PyResult<bool> {
        let fragment = Fragment::new(fragment.as_bytes()).map_err(refusal)?;
        let name = name(digest).map_err(refusal)?;
        py.detach(|| self.0.accepts_tags(fragment, &name, tags, threads)).map_err(refusal)
    }
}

/// The owner's key of the private scheme.
#[pyclass(frozen)]
pub struct PrivateAuditor(private::SecretKey);

#[pymethods]
impl PrivateAuditor {
    #[new]
    #[pyo3(signature = (seed, /))]
    fn new(seed: &[u8]) -> PyResult<Self> {
        private::SecretKey::new(seed).map(Self).map_err(refusal)
    }

    #[pyo3(signature = (fragment, digest, threads, /))]
    fn tag<'py>(
        &self,
        py: Python<'py>,
        fragment: Bound<'py, PyBytes>,
        digest: &[u8],
        threads: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let fragment = Fragment::new(fragment.as_bytes()).map_err(refusal)?;
        let name = name(digest).map_err(refusal)?;
        Ok(PyBytes::new(py, &py.detach(|| self.0.tag(fragment, &name, threads))))
    }

    #[pyo3(signature = (digest, challenge, proof, /))]
    fn verify(&self, py: Python<'_>, digest: &[u8], challenge: &[u8], proof: &[u8]) -> PyResult<bool> {
        let name = name(digest).map_err(refusal)?;
        let challenge = Challenge::decode(challenge).map_err(refusal)?;
        let Ok(proof) = private::Proof::decode(proof) else { return Ok(false) };
        Ok(py.detach(|| self.0.verify(&name, &challenge, &proof)))
    }
}

/// Derive a challenge, encoded.
#[pyfunction]
#[pyo3(signature = (seed, count, /))]
pub fn podr2_challenge<'py>(py: Python<'py>, seed: &[u8], count: u16) -> PyResult<Bound<'py, PyBytes>> {
    let seed = seed.try_into().map_err(|_| refusal(Fault::Seed))?;
    Ok(PyBytes::new(py, &Challenge::derive(seed, count).map_err(refusal)?.encode()))
}

/// Encode a challenge of chosen blocks and coefficients.
#[pyfunction]
#[pyo3(signature = (pairs, /))]
pub fn podr2_challenge_of(py: Python<'_>, pairs: Vec<(u16, u128)>) -> PyResult<Bound<'_, PyBytes>> {
    let pairs = pairs.into_iter().map(|(index, coefficient)| challenge::Pair { index, coefficient });
    Ok(PyBytes::new(py, &Challenge::new(pairs.collect()).map_err(refusal)?.encode()))
}

/// Answer a challenge by the scheme of the tags.
#[pyfunction]
#[pyo3(signature = (fragment, tags, challenge, threads, /))]
pub fn podr2_prove<'py>(
    py: Python<'py>,
    fragment: Bound<'py, PyBytes>,
    tags: &[u8],
    challenge: &[u8],
    threads: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let fragment = Fragment::new(fragment.as_bytes()).map_err(refusal)?;
    let challenge = Challenge::decode(challenge).map_err(refusal)?;
    let prove = if is_private(tags) { private::prove } else { public::prove };
    let proof = py.detach(|| prove(fragment, tags, &challenge, threads)).map_err(refusal)?;
    Ok(PyBytes::new(py, &proof))
}

/// Refuse what is no proof of either scheme.
#[pyfunction]
#[pyo3(signature = (proof, /))]
pub fn podr2_check_proof(proof: &[u8]) -> PyResult<()> {
    if is_private(proof) {
        private::Proof::decode(proof).map(drop).map_err(refusal)
    } else {
        Proof::decode(proof).map(drop).map_err(refusal)
    }
}

/// Tell whether all proofs are right, each against the key, name and challenge in its place.
#[pyfunction]
#[pyo3(signature = (keys, digests, challenges, proofs, threads, /))]
pub fn podr2_verify_batch(
    py: Python<'_>,
    keys: Vec<Py<PublicVerifier>>,
    digests: Vec<Vec<u8>>,
    challenges: Vec<Vec<u8>>,
    proofs: Vec<Vec<u8>>,
    threads: usize,
) -> PyResult<bool> {
    let names = digests.iter().map(|digest| name(digest)).collect::<Result<Vec<_>, _>>().map_err(refusal)?;
    let challenges: Result<Vec<_>, _> = challenges.iter().map(|bytes| Challenge::decode(bytes)).collect();
    let challenges = challenges.map_err(refusal)?;
    let Ok(proofs) = proofs.iter().map(|bytes| Proof::decode(bytes)).collect::<Result<Vec<_>, _>>() else {
        return Ok(false);
    };
    if [names.len(), challenges.len(), proofs.len()] != [keys.len(); 3] {
        return Err(refusal(Fault::Batch));
    }
    let claims: Vec<_> = (0..keys.len())
        .map(|place| Claim {
            key: &keys[place].get().0,
            name: &names[place],
            challenge: &challenges[place],
            proof: &proofs[place],
        })
        .collect();
    py.detach(|| public::verify_batch(&claims, threads)).map_err(refusal)
}

fn is_private(encoded: &[u8]) -> bool {
    encoded.first().is_some_and(|kind| kind & 0xf0 == PRIVATE)
}

fn refusal(fault: Fault) -> PyErr {
    PyValueError::new_err(fault.to_string())
}
