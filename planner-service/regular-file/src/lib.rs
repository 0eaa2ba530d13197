//! Files that an option, a variable or another file names.
//!
//! Invariant: only a regular file is read, and only up to a limit. A pipe or a device may have no end, or nobody who writes to
//! it: it is refused at once, so that whoever reads can still be told to stop.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Longest file that people write by hand, in bytes: configuration, tokens, secrets, certificates.
pub const LONGEST: u64 = 4 << 20;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A pipe, a device, a folder.
    #[error("it is no regular file")]
    NotRegular,
    /// It is longer than allowed.
    #[error("it is longer than {} MiB", .most >> 20)]
    TooLong {
        /// Most bytes that are read.
        most: u64,
    },
    /// It is no text.
    #[error("it is not UTF-8")]
    NotText,
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(error) => error,
            FileError::NotRegular | FileError::TooLong { .. } | FileError::NotText => Self::other(error),
        }
    }
}

/// A regular file that is open for reading.
#[derive(Debug)]
pub struct RegularFile {
    file: File,
    metadata: Metadata,
}

impl RegularFile {
    /// Opens the file, without waiting for anybody.
    ///
    /// # Errors
    /// When it cannot be opened or is no regular file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() {
            Ok(Self { file, metadata })
        } else {
            Err(FileError::NotRegular)
        }
    }

    /// Owner, mode and length when it was opened.
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The file itself, for locks and whoever reads a part of it.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Everything from where the file stands, if it is no more than `most` bytes.
    ///
    /// # Errors
    /// When it is longer or cannot be read.
    pub fn bytes(&self, most: u64) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        // It may grow while it is read.
        (&self.file).take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
            return Err(FileError::TooLong { most });
        }
        Ok(bytes)
    }

    /// The same as text.
    ///
    /// # Errors
    /// As [`RegularFile::bytes`], and when it is not UTF-8.
    pub fn text(&self, most: u64) -> Result<String, FileError> {
        String::from_utf8(self.bytes(most)?).map_err(|_| FileError::NotText)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "four").unwrap();
        let file = |path: &Path| RegularFile::open(path);
        assert_eq!(file(&path).unwrap().text(4).unwrap(), "four");
        assert!(matches!(
            file(&path).unwrap().text(3),
            Err(FileError::TooLong { most: 3 })
        ));
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(file(&path).unwrap().bytes(3).unwrap(), [0xff]);
        assert!(matches!(file(&path).unwrap().text(3), Err(FileError::NotText)));
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for other in [&pipe, folder.path(), Path::new("/dev/zero")] {
            assert!(matches!(file(other), Err(FileError::NotRegular)), "{}", other.display());
        }
        assert!(matches!(file(&folder.path().join("none")), Err(FileError::Io(_))));
    }
}
