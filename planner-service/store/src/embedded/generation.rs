//! Whether a database file, its write-ahead log, and the record of what was acknowledged belong together.
//!
//! SQLite applies whatever log lies beside a file, and takes a log that is missing or damaged for one that is shorter. So
//! each log is given a number, the generation, which is `PRAGMA user_version`: the file alone, without its log, has
//! the generation of its last checkpoint, and the first commit of the log that follows is the next one. A file that is
//! closed has its generation with a minus sign. So:
//!
//! | the file alone | with its log | |
//! |---|---|---|
//! | g > 0 | g + 1 | in use, or left by a process that died |
//! | g > 0 | g | between a checkpoint and the next commit, or without its log: the record tells them apart |
//! | g > 0 | -g | being closed |
//! | -g | -g | closed |
//! | -g | g + 1 | being opened |
//! | 0 | 0 or less | not opened by a version that keeps generations, or being opened by one |
//!
//! Anything else is the log of another file.

use planner_core::ports::Epoch;

use super::record::Record;

/// What is found before a database is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Generation of the file alone.
    pub(super) file: i32,
    /// Generation of the file with its log.
    pub(super) log: i32,
    /// Epoch of the file with its log; 0 before there is a book.
    pub(super) epoch: Epoch,
    /// What was acknowledged, if that is known.
    pub(super) record: Option<Record>,
}

/// Why a database must not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The file is empty or not there, but its log or its record is.
    #[error("the file is missing or empty, but it held a book, as what lies beside it shows")]
    Emptied,
    /// The file was in use when it was copied or its log was lost.
    #[error("its write-ahead log (`-wal`) is missing, and the newest changes with it")]
    LogMissing,
    /// The log is not this file's.
    #[error("the write-ahead log (`-wal`) beside it belongs to another state of this file or to another file")]
    ForeignLog,
    /// The file is not the one that the record is about.
    #[error("it is not the file that was used here last (`-acknowledged` beside it is another's)")]
    ForeignFile,
    /// Acknowledged changes are missing.
    #[error(
        "it is at epoch {found}, but changes up to epoch {acknowledged} have been acknowledged: the file is an older \
         one, or its write-ahead log (`-wal`) is missing or damaged"
    )]
    Behind {
        /// Epoch of the database.
        found: Epoch,
        /// The newest epoch that was acknowledged.
        acknowledged: Epoch,
    },
}

/// Whether everything that was acknowledged is there, and nothing else.
pub(super) fn judge(found: Found) -> Result<(), Doubt> {
    let generation = found.file.saturating_abs();
    let belongs = match found.file {
        0 => found.log <= 0,
        _ => found.log == found.file || found.log == generation.saturating_add(1) || found.log == -generation,
    };
    if !belongs {
        return Err(Doubt::ForeignLog);
    }
    let Some(record) = found.record else {
        return if found.file > 0 && found.log == found.file {
            Err(Doubt::LogMissing)
        } else {
            Ok(())
        };
    };
    let known = record.generation.saturating_abs();
    // Without its log, a file is one generation behind; a start goes on by two before it writes the record; the very
    // first start writes the record before there is a generation.
    if known != 0 && !(known.saturating_sub(1)..=known.saturating_add(2)).contains(&found.log.saturating_abs()) {
        return Err(Doubt::ForeignFile);
    }
    if found.epoch < record.epoch {
        return Err(Doubt::Behind {
            found: found.epoch,
            acknowledged: record.epoch,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_only_a_file_with_its_own_log_and_everything_acknowledged_is_opened() {
        let record = |epoch, generation| Some(Record { epoch, generation });
        for (file, log, epoch, record, expected) in [
            // New, or of a version before this one.
            (0, 0, 0, None, Ok(())),
            (0, 0, 7, None, Ok(())),
            (0, -40, 7, None, Ok(())),
            (0, -40, 7, record(7, 0), Ok(())),
            (0, 41, 7, None, Err(Doubt::ForeignLog)),
            // In use.
            (40, 41, 7, record(7, 41), Ok(())),
            (40, 41, 8, record(7, 41), Ok(())),
            (
                40,
                41,
                6,
                record(7, 41),
                Err(Doubt::Behind {
                    found: 6,
                    acknowledged: 7,
                }),
            ),
            (40, 41, 7, None, Ok(())),
            (40, 42, 7, record(7, 41), Err(Doubt::ForeignLog)),
            (40, 7, 7, None, Err(Doubt::ForeignLog)),
            // After a checkpoint, or without the log.
            (41, 41, 7, record(7, 41), Ok(())),
            (41, 41, 7, record(7, 40), Ok(())),
            (
                40,
                40,
                5,
                record(7, 40),
                Err(Doubt::Behind {
                    found: 5,
                    acknowledged: 7,
                }),
            ),
            (
                40,
                40,
                5,
                record(7, 41),
                Err(Doubt::Behind {
                    found: 5,
                    acknowledged: 7,
                }),
            ),
            (40, 40, 5, None, Err(Doubt::LogMissing)),
            // Closed, being closed, being opened.
            (-41, -41, 7, record(7, -41), Ok(())),
            (-41, -41, 7, None, Ok(())),
            (41, -41, 7, record(7, 41), Ok(())),
            (-41, 42, 7, record(7, -41), Ok(())),
            (42, 43, 7, record(7, -41), Ok(())),
            // An older file, a newer one, another one.
            (-41, -41, 5, record(7, 45), Err(Doubt::ForeignFile)),
            (
                -41,
                -41,
                5,
                record(7, -41),
                Err(Doubt::Behind {
                    found: 5,
                    acknowledged: 7,
                }),
            ),
            (-900, -900, 99, record(7, -41), Err(Doubt::ForeignFile)),
            // A closed copy put in the place of the file in use, with the log left beside it.
            (-38, 41, 7, record(7, 41), Err(Doubt::ForeignLog)),
        ] {
            let found = Found {
                file,
                log,
                epoch,
                record,
            };
            assert_eq!(judge(found), expected, "{found:?}");
        }
    }
}
