//! `judge DEFINITIONS [-v]`: reads paths from standard input, prints `PATH<TAB>valid|invalid`, with `-v` the problems too.

use caregrid_schema::Schema;
use caregrid_validation::{Options, Validator};
use std::io::BufRead;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let packed = std::fs::read(&arguments[0]).expect("a file of definitions");
    let validator = Validator::new(Schema::load(&packed).expect("definitions"));
    let verbose = arguments.iter().any(|one| one == "-v");
    let (mut spent, mut bytes, mut count) = (Duration::ZERO, 0, 0);
    for path in std::io::stdin().lock().lines().map_while(Result::ok) {
        let content = std::fs::read(&path).expect("a readable file");
        let begun = Instant::now();
        let report = validator.validate(&content, &Options::default());
        spent += begun.elapsed();
        bytes += content.len();
        count += 1;
        println!("{path}\t{}", if report.valid { "valid" } else { "invalid" });
        for finding in
            report.findings.iter().filter(|finding| verbose && finding.issue.rule.severity.is_error())
        {
            let issue = &finding.issue;
            println!(
                "  {}:{} {} {} {} {}",
                finding.position.line,
                finding.position.column,
                issue.rule.name,
                issue.path,
                issue.key.as_deref().unwrap_or("-"),
                issue.text
            );
        }
    }
    eprintln!("{count} files, {bytes} bytes in {spent:?}");
}
