//! What commands write: results to standard output, remarks for people to standard error.
//!
//! Invariants: a reader that has seen enough is no failure; a remark that cannot be written is dropped, because nothing is
//! worth failing for that. A command waits for whoever reads its remarks, a service for nobody.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::log_writer::LogWriter;

/// Where remarks go.
pub(crate) enum Remarks {
    /// A command's: to standard error.
    OfCommand,
    /// A service's: the way its log goes, which never waits.
    OfService(LogWriter),
}

impl Remarks {
    /// Writes a line for people.
    pub(crate) fn say(&self, text: impl Display) {
        match self {
            Self::OfCommand => remark(text),
            Self::OfService(log) => {
                // One write is one line of the log.
                let _ = (&mut &*log).write_all(format!("{text}\n").as_bytes());
            }
        }
    }

    /// Waits a moment until everything is written.
    pub(crate) fn finish(&self) {
        match self {
            Self::OfCommand => {}
            Self::OfService(log) => log.finish(),
        }
    }
}

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
