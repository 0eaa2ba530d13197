//! Lines of the log on their way to standard error.
//!
//! Invariant: whoever logs neither fails nor waits, whatever standard error is: a full disk, a pipe that nobody reads, or
//! one that is closed. Lines that cannot be written are dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Most lines that wait to be written.
const WAITING: usize = 4096;

/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    /// Everything before this has been written when it is dropped.
    End(#[expect(dead_code, reason = "dropping it is the answer")] SyncSender<()>),
}

/// The way to the thread that writes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogWriter {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

impl LogWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, entries) = sync_channel(WAITING);
        let lost = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&lost);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_out(&entries, &counted, out))?;
        Ok(Self { entries: sender, lost })
    }

    /// Waits a moment until everything logged so far is written.
    pub(crate) fn finish(&self) {
        let (end, written) = sync_channel(0);
        if self.entries.try_send(Entry::End(end)).is_ok() {
            let _ = written.recv_timeout(LAST_LINES);
        }
    }
}

fn write_out(entries: &Receiver<Entry>, lost: &AtomicU64, mut out: impl Write) {
    for entry in entries {
        let Entry::Line(line) = entry else { continue };
        if out.write_all(&line).is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lines = lost, "lines of the log could not be written and are lost");
        }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Takes one line with each call, as the formatter gives it.
impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.entries.try_send(Entry::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
