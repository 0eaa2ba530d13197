//! Receivers that are programs.
//!
//! Invariants: a program sees nothing of the service's environment but what it is given; one that fails, is given up, or
//! is left by a service that stops is ended with everything it has started in its process group.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use plugin_api::foreign_text;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use crate::{COMPLAINT_BYTES, Delivery, LONGEST_COMPLAINT, Receiver, Undelivered};

/// How long a program's last words are waited for after it has ended, if its children hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A program that gets the JSON document on its standard input and its main values in `BERTH_*` variables; exit code 0 is
/// success. No shell is involved.
#[derive(Debug, Clone)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Time until it is killed.
    pub timeout: Duration,
    /// Its environment besides the `BERTH_*` variables of what it is told.
    pub environment: Vec<(OsString, OsString)>,
    /// The service is to stop: no program is started any more, and those that run are killed.
    pub stopping: CancellationToken,
}

/// A process group, killed when this goes out of scope.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// Lets it go on.
    fn leave(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // A group of which nobody is left is no longer there.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Command {
    async fn run(&self, delivery: &Delivery) -> Result<(), Undelivered> {
        let unreached = |reason: String| Undelivered::Unreached {
            service: "command",
            reason,
        };
        let Some((program, arguments)) = self.argv.split_first() else {
            return Err(unreached("the configured command is empty".to_owned()));
        };
        if self.stopping.is_cancelled() {
            return Err(unreached(format!("{program} is not started, because Berth stops")));
        }
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(delivery.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| unreached(format!("{program} does not start: {error}")))?;
        let mut group = Group::of(&child);
        let unacknowledged = |reason: String| Undelivered::Unacknowledged {
            service: "command",
            reason,
            status: None,
        };
        let finished = tokio::select! {
            finished = tokio::time::timeout(self.timeout, finish(&mut child, &delivery.document)) => finished,
            () = self.stopping.cancelled() => {
                return Err(unacknowledged(format!("{program} was killed, because Berth stops")));
            }
        };
        match finished {
            Err(_) => Err(unacknowledged(format!(
                "{program} did not end within {} s and was killed",
                self.timeout.as_secs()
            ))),
            Ok(Err(error)) => Err(unacknowledged(format!("{program} cannot be waited for: {error}"))),
            Ok(Ok((status, _))) if status.success() => {
                group.leave();
                Ok(())
            }
            Ok(Ok((status, complaint))) => Err(unacknowledged(format!("{program} ended with {status}: {complaint}"))),
        }
    }
}

#[async_trait]
impl Receiver for Command {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), Undelivered> {
        self.run(delivery).await
    }
}

/// Feeds a program and waits until it has ended; what it has started may live on. Gives the beginning of its complaint.
async fn finish(child: &mut Child, document: &[u8]) -> std::io::Result<(ExitStatus, String)> {
    let (input, errors) = (child.stdin.take(), child.stderr.take());
    let mut said = Vec::new();
    let talk = async {
        let feed = async {
            if let Some(mut input) = input {
                // A program may well not read what it is told.
                let _ = input.write_all(document).await;
            }
        };
        tokio::join!(feed, listen(errors, &mut said));
    };
    let status = {
        tokio::pin!(talk);
        let mut is_over = false;
        loop {
            tokio::select! {
                () = &mut talk, if !is_over => is_over = true,
                status = child.wait() => {
                    if !is_over {
                        // Its last words are still in the pipe, which its children may hold open.
                        let _ = tokio::time::timeout(LAST_WORDS, &mut talk).await;
                    }
                    break status?;
                }
            }
        }
    };
    Ok((status, foreign_text(&String::from_utf8_lossy(&said), LONGEST_COMPLAINT)))
}

/// Keeps the beginning and reads on, so that a program that says much is not stopped by a full pipe.
async fn listen(errors: Option<impl AsyncRead + Unpin>, said: &mut Vec<u8>) {
    let Some(mut errors) = errors else { return };
    let mut part = [0; COMPLAINT_BYTES];
    while let Ok(length @ 1..) = errors.read(&mut part).await {
        let room = COMPLAINT_BYTES - said.len();
        said.extend(part.iter().take(length.min(room)));
    }
}
