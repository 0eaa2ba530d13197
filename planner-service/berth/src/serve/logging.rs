//! Where the log goes and what is in it.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::options::{LogFormat, ServeArguments};

/// Logs warnings to standard error: for commands that are over soon.
pub(super) fn start_for_command() {
    let filter = EnvFilter::new("warn");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// Starts logging to standard error.
pub(super) fn start(arguments: &ServeArguments) -> anyhow::Result<()> {
    // The client library logs every request at the level meant for what the service itself does.
    let filter = format!(
        "openstack_sdk=warn,openstack_sdk_core=warn,openstack_sdk_auth_core=warn,sqlx=warn,lapin=error,{}",
        arguments.log
    );
    let filter = EnvFilter::try_new(&filter).with_context(|| format!("--log {}", arguments.log))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match arguments.log_format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
