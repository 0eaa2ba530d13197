//! Addresses that are Berth's own inventory, for networks without a cloud around them.
//!
//! Invariant: the book alone says who may use which address. Start and end tell the operator's own machinery, with the
//! same key for every repetition, so that it can carry each out once; a reservation that has grown has a new key.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use plugin_action::Action;
use plugin_api::{
    Assignment, Created, Finding, FloatingIpInventory, InventoryError, PluginError, ResourcePlugin, StepObserver,
};

use crate::{RESOURCE_TYPE, floating_ips_of};

/// Reservations of floating IPs without a cloud.
pub struct StandaloneFloatingIps {
    actions: Vec<Action>,
    client: reqwest::Client,
    steps: Arc<dyn StepObserver>,
}

impl StandaloneFloatingIps {
    /// Every step, in order.
    pub const STEPS: &'static [&'static str] = &["start:told", "end:told"];

    /// A plugin that tells these receivers, all and in this order, webhooks through this client.
    pub fn new(actions: Vec<Action>, client: reqwest::Client, steps: Arc<dyn StepObserver>) -> Self {
        Self { actions, client, steps }
    }

    async fn tell(&self, event: &'static str, step: &'static str, assignment: &Assignment) -> Result<(), PluginError> {
        for action in &self.actions {
            action.carry_out(&self.client, event, assignment).await?;
            self.steps.reached(step);
        }
        Ok(())
    }
}

#[async_trait]
impl ResourcePlugin for StandaloneFloatingIps {
    fn resource_type(&self) -> &'static str {
        RESOURCE_TYPE
    }

    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        floating_ips_of(assignment)?;
        self.tell("start", "start:told", assignment).await?;
        Ok(Created::default())
    }

    async fn before_end(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        self.tell("end", "end:told", assignment).await
    }

    async fn reconcile(&self, _assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        // There is nothing outside that could be asked.
        Ok(Vec::new())
    }
}

#[async_trait]
impl FloatingIpInventory for StandaloneFloatingIps {
    /// Any address of any network: nobody else knows them.
    async fn locate(&self, _network_id: &str, _address: IpAddr) -> Result<String, InventoryError> {
        Ok(String::new())
    }
}
