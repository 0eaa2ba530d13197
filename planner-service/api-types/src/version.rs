//! Version discovery.

use serde::{Deserialize, Serialize};

/// Body of the list of versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsBody {
    /// All versions.
    pub versions: Vec<Version>,
}

/// Body of the document of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionBody {
    /// The version.
    pub version: Version,
}

/// A version of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are upstream's")]
pub struct Version {
    /// `v1.0`
    pub id: String,
    /// `CURRENT`
    pub status: String,
    /// Where it is.
    pub links: Vec<Link>,
    /// Oldest microversion.
    pub min_version: String,
    /// Newest microversion.
    pub max_version: String,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Absolute URL.
    pub href: String,
    /// `self`
    pub rel: String,
}
