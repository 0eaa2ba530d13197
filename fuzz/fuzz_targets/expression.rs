//! Property expressions: what is read is written back the same, and can be asked of any host.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solver::predicate;

fuzz_target!(|text: &str| {
    let Ok(value) = serde_json::from_str(text) else { return };
    let Ok(read) = predicate::parse(&value) else { return };
    assert_eq!(predicate::parse(&read.to_json()).as_ref(), Ok(&read));
    let _ = read.matches(&|name| Some(if name.len() % 2 == 0 { "12.50" } else { "gpu" }));
});
