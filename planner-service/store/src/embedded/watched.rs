//! A file that is held open and compared with what its path names.
//!
//! Invariant: a check that succeeds says that the path still names the file that is held, and that nobody has cut it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What has become of a file while it was used.
#[derive(Debug, thiserror::Error)]
pub enum FileTrouble {
    /// Its path names nothing.
    #[error("{path} has been removed")]
    Removed {
        /// The path.
        path: String,
    },
    /// Its path names another file.
    #[error("{path} has been replaced by another file")]
    Replaced {
        /// The path.
        path: String,
    },
    /// It is shorter than it was.
    #[error("{path} has been cut from {before} to {after} bytes")]
    Cut {
        /// The path.
        path: String,
        /// Its length when it was last looked at.
        before: u64,
        /// Its length now.
        after: u64,
    },
    /// It cannot grow.
    #[error("{path} has no room for the next {bytes} bytes")]
    NoRoom {
        /// The path.
        path: String,
        /// How many were tried.
        bytes: usize,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It cannot be looked at.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The path.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A file that is held open.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    file: File,
    /// The greatest length seen since the file was last allowed to shrink, in bytes.
    length: AtomicU64,
}

impl Watched {
    pub(super) const fn new(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file,
            length: AtomicU64::new(0),
        }
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// The greatest length seen, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    /// Forgets how long the file was: its owner is about to cut it.
    pub(super) fn may_shrink(&self) {
        self.length.store(0, Ordering::Relaxed);
    }

    /// Whether the path still names this file, as long as it was or longer.
    pub(super) fn check(&self) -> Result<(), FileTrouble> {
        let path = || self.path.display().to_string();
        let unreadable = |source| FileTrouble::Unreadable { path: path(), source };
        let held = self.file.metadata().map_err(unreadable)?;
        match is_named(&self.path, &self.file) {
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Err(FileTrouble::Replaced { path: path() }),
            Ok(None) => return Err(FileTrouble::Removed { path: path() }),
            Err(error) => return Err(unreadable(error)),
        }
        let before = self.length.fetch_max(held.len(), Ordering::Relaxed);
        if held.len() < before {
            return Err(FileTrouble::Cut {
                path: path(),
                before,
                after: held.len(),
            });
        }
        Ok(())
    }
}

/// Whether `path` names this very file; nothing if it names none.
fn is_named(path: &Path, file: &File) -> io::Result<Option<bool>> {
    match std::fs::metadata(path) {
        Ok(named) => {
            let held = file.metadata()?;
            Ok(Some((named.dev(), named.ino()) == (held.dev(), held.ino())))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{FileTrouble, Watched};

    fn watched(path: &std::path::Path) -> Watched {
        std::fs::write(path, "0123456789").unwrap();
        let watched = Watched::new(path.to_owned(), std::fs::File::open(path).unwrap());
        watched.check().unwrap();
        watched
    }

    #[test]
    fn f11_a_file_that_is_removed_replaced_or_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = watched(&path);
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(3)
            .unwrap();
        assert!(matches!(
            file.check(),
            Err(FileTrouble::Cut {
                before: 10,
                after: 3,
                ..
            })
        ));
        file.may_shrink();
        file.check().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(file.check(), Err(FileTrouble::Removed { .. })));
        std::fs::write(&path, "another file of another length").unwrap();
        assert!(matches!(file.check(), Err(FileTrouble::Replaced { .. })));
        let file = watched(&path);
        drop(folder);
        assert!(matches!(file.check(), Err(FileTrouble::Removed { .. })));
    }
}
