//! How many clients may be connected.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use server::{ConnectionLimits, RESERVED};

use crate::options::ServeArguments;

/// Files kept for what the service opens itself: the database, the cloud, a broker, receivers, what it executes.
const OWN_FILES: usize = 128;
/// Most connections where files are no limit.
const MOST: usize = 10_000;

/// The limits the options name, or what the limit on open files leaves.
pub(super) fn limits(arguments: &ServeArguments) -> ConnectionLimits {
    let most = arguments.max_connections.map_or_else(
        || allowed_by(getrlimit(Resource::Nofile).current),
        |most| usize::try_from(most).unwrap_or(usize::MAX),
    );
    ConnectionLimits {
        most,
        idle: Duration::from_secs(arguments.idle_timeout.into()),
    }
}

/// How many connections so many open files allow (`None`: any number).
fn allowed_by(files: Option<u64>) -> usize {
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    files.saturating_sub(OWN_FILES + RESERVED).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::allowed_by;

    #[test]
    fn v8_connections_leave_files_for_the_service_itself() {
        for (files, connections) in [
            (Some(1_024), 880),
            (Some(10), 1),
            (Some(1 << 20), 10_000),
            (None, 10_000),
        ] {
            assert_eq!(allowed_by(files), connections, "{files:?}");
        }
    }
}
