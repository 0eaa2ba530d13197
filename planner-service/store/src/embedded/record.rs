//! What has been acknowledged, in a small file beside the database.
//!
//! Invariants: the record is written after a commit is on the disk and before anybody is told, so that it is never
//! ahead of the database and, as long as the machine runs, never behind what was told. It is written over itself, so
//! that it needs no room on a full disk; two places take turns, so that a record that was half written is not the only one.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use planner_core::ports::Epoch;

use super::watched::{FileTrouble, Watched};

/// Bytes of one place: no disk writes half of it.
const PLACE: usize = 512;

/// First word of a record, with the version of its form.
const MARK: &str = "berth-acknowledged/1";

/// What has been acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// The newest epoch.
    pub(crate) epoch: Epoch,
    /// The generation of the log that has it; see [`super::generation`].
    pub(crate) generation: i32,
}

/// Where the record of a database is.
pub(crate) fn path_beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-acknowledged");
    PathBuf::from(name)
}

/// The record of a database, if there is one that can be read.
pub(crate) fn read(path: &Path) -> io::Result<Option<Record>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(newest(&bytes).map(|(_, record)| record)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The record as it is being written.
#[derive(Debug)]
pub(super) struct RecordFile {
    watched: Watched,
    /// How many records have been written.
    number: u64,
    last: Record,
}

impl RecordFile {
    /// Opens the record, or makes it with what is acknowledged now.
    pub(super) fn open(path: &Path, record: Record) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        let number = std::fs::read(path)
            .ok()
            .and_then(|bytes| newest(&bytes))
            .map_or(0, |(number, _)| number);
        let mut opened = Self {
            watched: Watched::new(path.to_owned(), file),
            number,
            last: record,
        };
        // Both places, to have the room for them.
        opened.write(record)?;
        opened.write(record)?;
        opened.watched.file().sync_all()?;
        super::sync_folder(path)?;
        Ok(opened)
    }

    /// Whether the record is where the next start looks for it.
    pub(super) fn check(&self) -> Result<(), FileTrouble> {
        self.watched.check()
    }

    /// Records a newer epoch, if there is one, and the generation.
    pub(super) fn update(&mut self, epoch: Option<Epoch>, generation: i32) -> io::Result<()> {
        let epoch = epoch.map_or(self.last.epoch, |epoch| epoch.max(self.last.epoch));
        self.write(Record { epoch, generation })
    }

    /// Writes a record.
    fn write(&mut self, record: Record) -> io::Result<()> {
        self.number += 1;
        self.last = record;
        let offset = if self.number.is_multiple_of(2) { 0 } else { PLACE as u64 };
        self.watched.file().write_all_at(&written(self.number, record), offset)
    }
}

/// One place.
fn written(number: u64, record: Record) -> Vec<u8> {
    let text = format!("{MARK} {number} {} {}", record.epoch, record.generation);
    let mut place = format!("{text} {:016x}", sum(&text)).into_bytes();
    place.resize(PLACE - 1, b' ');
    place.push(b'\n');
    place
}

/// The newest record of a file, with its number.
fn newest(bytes: &[u8]) -> Option<(u64, Record)> {
    bytes.chunks(PLACE).filter_map(parse).max_by_key(|(number, _)| *number)
}

fn parse(place: &[u8]) -> Option<(u64, Record)> {
    let text = std::str::from_utf8(place).ok()?.trim_end();
    let (text, sum_of_text) = text.rsplit_once(' ')?;
    if u64::from_str_radix(sum_of_text, 16).ok()? != sum(text) {
        return None;
    }
    let mut words = text.strip_prefix(MARK)?.split_whitespace();
    let number = words.next()?.parse().ok()?;
    let epoch = words.next()?.parse().ok()?;
    let generation = words.next()?.parse().ok()?;
    Some((number, Record { epoch, generation }))
}

/// FNV-1a, against a place that was half written.
fn sum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{PLACE, Record, RecordFile, newest, read};

    const fn record(epoch: i64) -> Record {
        Record { epoch, generation: 7 }
    }

    #[test]
    fn the_newest_whole_record_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        assert_eq!(read(&path).unwrap(), None);
        let mut file = RecordFile::open(&path, record(1)).unwrap();
        for epoch in 2..10 {
            file.write(record(epoch)).unwrap();
            assert_eq!(read(&path).unwrap(), Some(record(epoch)));
        }
        // Cut off at any byte, the one before is found.
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len(), 2 * PLACE);
        for length in 0..whole.len() {
            let found = newest(&whole[..length]).map(|(_, record)| record.epoch);
            assert!(found.is_none_or(|epoch| epoch >= 8), "{length}: {found:?}");
        }
        // Damage is not believed.
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            let (_, found) = newest(&damaged).unwrap();
            assert!([8, 9].contains(&found.epoch), "{index}: {found:?}");
        }
        // It goes on after a restart, and is missed when it was taken away.
        let mut file = RecordFile::open(&path, record(10)).unwrap();
        file.write(record(11)).unwrap();
        assert_eq!(read(&path).unwrap(), Some(record(11)));
        file.check().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(file.check().is_err());
    }
}
