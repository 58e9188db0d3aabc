//! Loads definitions and says how long that took.
fn main() {
    for path in std::env::args().skip(1) {
        let packed = std::fs::read(&path).expect("a file of definitions");
        let begun = std::time::Instant::now();
        match caregrid_schema::Schema::load(&packed) {
            Ok(schema) => println!("{path}: {} shapes in {:?}", schema.shapes.len(), begun.elapsed()),
            Err(fault) => println!("{path}: {fault}"),
        }
    }
}
