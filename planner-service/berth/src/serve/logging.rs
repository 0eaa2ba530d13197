//! Where the log goes and what is in it.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use super::log_writer::LogWriter;
use crate::options::{LogFormat, ServeArguments};

/// Writes the last lines of the log when it goes out of scope.
pub(super) struct Logging(LogWriter);

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Logs warnings to standard error: for commands that are over soon.
pub(super) fn start_for_command() {
    let filter = EnvFilter::new("warn");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would be said where the line could not be written, and panic there.
        .log_internal_errors(false)
        .with_target(false)
        .init();
}

/// Starts logging to standard error.
pub(super) fn start(arguments: &ServeArguments) -> anyhow::Result<Logging> {
    // The client library logs every request at the level meant for what the service itself does; that of RabbitMQ calls it an
    // error that a queue or an exchange is not there yet, which is how the service finds out that it has to make it.
    let filter = format!(
        "openstack_sdk=warn,openstack_sdk_core=warn,openstack_sdk_auth_core=warn,sqlx=warn,lapin=error,lapin::channel=off,{}",
        arguments.log
    );
    let filter = EnvFilter::try_new(&filter).with_context(|| format!("--log {}", arguments.log))?;
    let writer = LogWriter::start(std::io::stderr()).context("the log cannot be started")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer.clone())
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false);
    match arguments.log_format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(Logging(writer))
}
