//! Reed-Solomon arithmetic for Python.

use caregrid_erasure::dispersal::{disperse as code, Hashes};
use pyo3::buffer::PyBuffer;
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

/// SHA-256 of the segment and of its fragments.
type Digests<'py> = (Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>);

/// Write a segment's parity into a buffer, and return the hashes of the segment and its fragments.
#[pyfunction]
#[pyo3(signature = (rows, segment, parity, /))]
pub fn disperse<'py>(
    py: Python<'py>,
    rows: Vec<Vec<u8>>,
    segment: PyBuffer<u8>,
    parity: PyBuffer<u8>,
) -> PyResult<Digests<'py>> {
    if parity.readonly()
        || !parity.is_c_contiguous()
        || !segment.is_c_contiguous()
        || overlap(&segment, &parity)
    {
        return Err(PyValueError::new_err("give two buffers apart from each other, the second one writable"));
    }
    let (source, target) = (Region::of(&segment), Region::of(&parity));
    let found = py.detach(move || {
        // SAFETY: both buffers are held by the caller's references until this returns, so Python can neither free nor
        // resize them; they lie apart. That no other thread writes to them meanwhile is what the function asks for.
        let (segment, parity) = unsafe { (source.bytes(), target.bytes_mut()) };
        code(&rows, segment, parity)
    });
    let Hashes { segment, fragments } = found.map_err(|_| {
        PyValueError::new_err("give 1 byte to 32 MiB of segment, and 8 MiB of room for each row of four")
    })?;
    Ok((PyBytes::new(py, &segment), fragments.iter().map(|hash| PyBytes::new(py, hash)).collect()))
}

fn overlap(left: &PyBuffer<u8>, right: &PyBuffer<u8>) -> bool {
    let (left_start, right_start) = (left.buf_ptr() as usize, right.buf_ptr() as usize);
    left_start < right_start + right.len_bytes() && right_start < left_start + left.len_bytes()
}

/// Where a buffer lies, as a thread without the interpreter's lock may know it.
#[derive(Clone, Copy)]
struct Region {
    start: usize,
    length: usize,
}

impl Region {
    fn of(buffer: &PyBuffer<u8>) -> Self {
        Self { start: buffer.buf_ptr() as usize, length: buffer.len_bytes() }
    }

    /// # Safety
    ///
    /// The buffer lives, and nobody writes to it meanwhile.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        std::slice::from_raw_parts(self.pointer(), self.length)
    }

    /// # Safety
    ///
    /// The buffer lives and is writable, and nobody else reads or writes it meanwhile.
    unsafe fn bytes_mut<'a>(self) -> &'a mut [u8] {
        std::slice::from_raw_parts_mut(self.pointer(), self.length)
    }

    fn pointer(self) -> *mut u8 {
        match self.length {
            0 => std::ptr::NonNull::dangling().as_ptr(),
            _ => self.start as *mut u8,
        }
    }
}
