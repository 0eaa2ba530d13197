//! Places for instances on hosts that are Berth's own inventory, for machines without a cloud around them.
//!
//! Invariant: the book alone says who may run what where. Start and end tell the operator's own machinery, with the
//! same key for every repetition, so that it can carry each out once; a reservation that has grown has a new key.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use plugin_action::Action;
use plugin_api::{Assignment, Created, Finding, PluginError, ResourcePlugin, StepObserver};

use crate::{RESOURCE_TYPE, instances_of};

/// Reservations of instances without a cloud.
pub struct StandaloneInstances {
    actions: Vec<Action>,
    client: reqwest::Client,
    steps: Arc<dyn StepObserver>,
}

impl StandaloneInstances {
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
impl ResourcePlugin for StandaloneInstances {
    fn resource_type(&self) -> &'static str {
        RESOURCE_TYPE
    }

    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        instances_of(assignment)?;
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
