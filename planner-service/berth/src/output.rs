//! What commands write: results to standard output, remarks for people to standard error.
//!
//! Invariants: a reader that has seen enough is no failure; a remark that cannot be written is dropped, because nothing is
//! worth failing for that.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Writes a command's result.
pub(crate) fn print(result: &[u8]) -> anyhow::Result<ExitCode> {
    taken(io::stdout().write_all(result))?;
    Ok(ExitCode::SUCCESS)
}

/// The outcome of writing a result; a reader that has gone is none.
pub(crate) fn taken(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes a line for people.
pub(crate) fn remark(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
