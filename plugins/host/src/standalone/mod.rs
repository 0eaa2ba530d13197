//! Hosts that are Berth's own inventory, for machines without a cloud around them.
//!
//! Invariant: the book alone says who holds a host. Receivers are told what the assignment says.

mod registration;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use plugin_action::Receivers;
use plugin_api::{
    AssignedHost, Assignment, Created, Finding, HostFacts, HostInventory, HostRegistration, InventoryError,
    PluginError, Provision, ResourcePlugin,
};

use crate::RESOURCE_TYPE;

/// Reservations of hosts without a cloud.
pub struct StandaloneHosts {
    receivers: Receivers,
    before_end: String,
}

impl StandaloneHosts {
    /// Every step, in order.
    pub const STEPS: &'static [&'static str] = &["start:told", "before_end:told", "end:told"];

    /// A plugin that tells these receivers. `before_end` is what `default` means before the end: `snapshot`, or empty for
    /// nothing.
    pub fn new(receivers: Receivers, before_end: String) -> Self {
        Self { receivers, before_end }
    }
}

#[async_trait]
impl ResourcePlugin for StandaloneHosts {
    fn resource_type(&self) -> &str {
        RESOURCE_TYPE
    }

    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        self.receivers.tell("start:told", assignment).await?;
        Ok(Created::default())
    }

    async fn before_end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        let action = match assignment.before_end.as_str() {
            "default" => self.before_end.as_str(),
            asked => asked,
        };
        match action {
            "" => Ok(()),
            "snapshot" => self.receivers.tell("before_end:told", assignment).await,
            other => Err(PluginError::Rejected(format!(
                "before_end is '{other}'; it may be 'default', 'snapshot' or empty"
            ))),
        }
    }

    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        self.receivers.tell("end:told", assignment).await
    }

    async fn reconcile(&self, _assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        // There is nothing outside that could be asked.
        Ok(Vec::new())
    }
}

#[async_trait]
impl HostInventory for StandaloneHosts {
    async fn register(&self, registration: &HostRegistration) -> Result<HostFacts, InventoryError> {
        registration::facts(registration)
    }

    async fn deregister(&self, _host: &AssignedHost) -> Result<(), InventoryError> {
        Ok(())
    }

    async fn provision(&self, _host: &AssignedHost) -> Result<Provision, InventoryError> {
        // The columns of the host say it all.
        Ok(Provision::default())
    }
}
