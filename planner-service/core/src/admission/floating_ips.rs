//! Registering and removing floating IPs.

use std::sync::Arc;

use plugin_api::echo::shortened;

use super::{is_held, second_check};
use crate::book::Book;
use crate::book::job::Draft;
use crate::domain::FloatingIp;
use crate::ports::{Change, Identifiers};
use crate::service::ServiceError;

/// Refuses an address that is already registered in its network, before anything outside is asked.
pub(crate) fn check_new(book: &Book, network_id: &str, address: &str) -> Result<(), ServiceError> {
    match book.floating_ip_at(network_id, address) {
        None => Ok(()),
        Some(known) => Err(ServiceError::Conflict(format!(
            "The floating IP {address} of network {network_id} is already registered as {}",
            known.id
        ))),
    }
}

/// Enters an address that lies in this subnet.
pub(crate) fn register(
    draft: &mut Draft,
    network_id: &str,
    subnet_id: &str,
    address: &str,
    identifiers: &dyn Identifiers,
) -> Result<Arc<FloatingIp>, ServiceError> {
    check_new(draft.book(), network_id, address)?;
    let registered = Arc::new(FloatingIp {
        id: identifiers.next(),
        floating_network_id: network_id.to_owned(),
        subnet_id: subnet_id.to_owned(),
        floating_ip_address: address.to_owned(),
        reservable: true,
        created_at: draft.now(),
        updated_at: None,
    });
    draft
        .change(vec![Change::PutFloatingIp(Arc::clone(&registered))])
        .map_err(second_check)?;
    Ok(registered)
}

/// The floating IP, if it exists.
pub(crate) fn found(book: &Book, id: &str) -> Result<Arc<FloatingIp>, ServiceError> {
    let found = book.floating_ip(id).cloned();
    found.ok_or_else(|| ServiceError::Missing(format!("Floating IP {} not found.", shortened(id))))
}

/// Forgets a floating IP. Refused while a reservation holds it.
pub(crate) fn remove(draft: &mut Draft, id: &str) -> Result<(), ServiceError> {
    found(draft.book(), id)?;
    if is_held(draft.book(), id) {
        return Err(ServiceError::Conflict(format!(
            "Can't delete floating IP {id}. Floating IP id {id} is allocated by reservations."
        )));
    }
    draft
        .change(vec![Change::DeleteFloatingIp(id.to_owned())])
        .map_err(second_check)
}
