//! Adapter of the ports. Credentials and catalogs are read by `openstack_sdk_core`, requests are sent by `http-client`.
//!
//! Invariant: all calls go through one [`session::Session`], which logs in when needed, bounds every
//! exchange in time and turns every answer into our own types or a [`crate::CloudError`].

mod compute;
mod credentials;
mod flavors;
mod identity;
mod images;
mod login;
mod network;
mod placement;
mod server_groups;
mod session;
#[cfg(test)]
mod tests;
mod trust;

use std::time::Duration;

pub use credentials::{CredentialsError, Password, ServiceCredentials};

use session::Session;

/// The services of an OpenStack cloud, used with the service's own credentials. Connects at the first
/// call, so that it can be made while the cloud is down.
pub struct OpenStack {
    session: Session,
}

impl OpenStack {
    /// Reads the credentials; `timeout` bounds every single exchange with a service.
    pub fn new(credentials: &ServiceCredentials, timeout: Duration) -> Result<Self, CredentialsError> {
        Ok(Self {
            session: Session::new(credentials.resolve()?, timeout)?,
        })
    }
}
