//! Who else may read or write a file with secrets.
//!
//! Invariant: a file that is there to keep a secret (tokens, the secret of a webhook) is not used while others can read it.
//! One that may hold a password among other things (configuration) is used, with a warning.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::bail;
use regular_file::{LONGEST, RegularFile};

/// Permission bits.
const ALL: u32 = 0o777;
/// Permissions of the group and of others.
const NOT_THE_OWNERS: u32 = 0o077;
/// The group of a file of root's may read it, so that a service that does not run as root can read it and not change it.
const ROOTS_GROUP: u32 = 0o040;
/// Everybody's right to read.
const EVERYBODY_READS: u32 = 0o004;

/// The text of a file that is there to keep a secret.
///
/// # Errors
/// When it cannot be read, or others than its owner can use it.
pub(crate) fn private_text(path: &Path) -> anyhow::Result<String> {
    let file = RegularFile::open(path)?;
    if let Some(mode) = too_open(file.metadata()) {
        bail!("others than its owner can read or write it (mode {mode:o}); chmod 600 makes it private");
    }
    Ok(file.text(LONGEST)?)
}

/// The mode of a file that others than its owner, or than root and a group, may use; `None` if all is well.
fn too_open(file: &Metadata) -> Option<u32> {
    let allowed = if file.uid() == 0 { ROOTS_GROUP } else { 0 };
    let mode = file.permissions().mode() & ALL;
    (mode & NOT_THE_OWNERS & !allowed != 0).then_some(mode)
}

/// The mode of a file that every user may read.
pub(crate) fn readable_by_everybody(file: &Metadata) -> Option<u32> {
    let mode = file.permissions().mode() & ALL;
    (mode & EVERYBODY_READS != 0).then_some(mode)
}
