//! Where the log goes and what is in it.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::log_writer::LogWriter;
use crate::options::{LogFormat, ServeArguments};

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

/// Has everything logged go to `writer`.
pub(super) fn start(arguments: &ServeArguments, writer: LogWriter) -> anyhow::Result<()> {
    // The client library logs every request at the level meant for what the service itself does; that of RabbitMQ calls it an
    // error that a queue or an exchange is not there yet, which is how the service finds out that it has to make it.
    let filter = format!(
        "openstack_sdk=warn,openstack_sdk_core=warn,openstack_sdk_auth_core=warn,sqlx=warn,lapin=error,lapin::channel=off,{}",
        arguments.log
    );
    let filter = EnvFilter::try_new(&filter).with_context(|| format!("--log {}", arguments.log))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false);
    match arguments.log_format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
