//! The findings of one lease and their row.

use std::sync::Arc;

use planner_core::ports::{Change, StoreError};

use super::corrupt;
use crate::entity::finding;

/// The row of the findings in a [`Change::PutFindings`]; nothing for any other change.
pub(crate) fn finding_row(change: &Change) -> Result<Option<finding::Model>, StoreError> {
    let Change::PutFindings { lease_id, findings } = change else {
        return Ok(None);
    };
    let content = serde_json::to_string(&**findings)
        .map_err(|error| corrupt(format!("no findings of lease {lease_id}: {error}")))?;
    Ok(Some(finding::Model {
        lease_id: lease_id.clone(),
        content,
    }))
}

/// The change that puts the findings of a row into a book.
pub(crate) fn findings_from_row(row: &finding::Model) -> Result<Change, StoreError> {
    let findings = serde_json::from_str(&row.content)
        .map_err(|error| corrupt(format!("unreadable findings of lease {}: {error}", row.lease_id)))?;
    Ok(Change::PutFindings {
        lease_id: row.lease_id.clone(),
        findings: Arc::new(findings),
    })
}
