//! Resource types that are Berth's own inventory, for machines and networks without a cloud around them.
//!
//! Invariant: the book alone says who may use what. Receivers are told what the assignment says they are to be told, which
//! is nothing where they know it already or have never heard of the reservation.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use plugin_api::{Assignment, Created, Finding, PluginError, ResourcePlugin, StepObserver};

use crate::{Delivery, Receiver};

/// Whom to tell: all of them, in this order.
#[derive(Clone)]
pub struct Receivers {
    receivers: Vec<Arc<dyn Receiver>>,
    steps: Arc<dyn StepObserver>,
}

impl Receivers {
    /// These receivers.
    pub fn new(receivers: Vec<Arc<dyn Receiver>>, steps: Arc<dyn StepObserver>) -> Self {
        Self { receivers, steps }
    }

    /// Tells all of them what the assignment says, and reports the step after each.
    ///
    /// # Errors
    /// When one does not say that it is done; those after it are not told.
    pub async fn tell(&self, step: &'static str, assignment: &Assignment) -> Result<(), PluginError> {
        let Some(message) = &assignment.message else {
            return Ok(());
        };
        let delivery = Delivery::of_message(message).map_err(|error| PluginError::Rejected(error.to_string()))?;
        for (index, receiver) in self.receivers.iter().enumerate() {
            receiver
                .deliver(&delivery)
                .await
                .map_err(|error| error.of_reservation(&delivery, index == 0))?;
            self.steps.reached(step);
        }
        Ok(())
    }
}

/// Whether an assignment says what the resource type needs.
pub type Check = fn(&Assignment) -> Result<(), PluginError>;

/// A resource type that asks for nothing before the end.
pub struct Standalone {
    resource_type: Cow<'static, str>,
    check: Check,
    receivers: Receivers,
}

impl Standalone {
    /// A plugin for this resource type that tells these receivers.
    pub fn new(resource_type: impl Into<Cow<'static, str>>, check: Check, receivers: Receivers) -> Self {
        Self {
            resource_type: resource_type.into(),
            check,
            receivers,
        }
    }
}

#[async_trait]
impl ResourcePlugin for Standalone {
    fn resource_type(&self) -> &str {
        &self.resource_type
    }

    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        (self.check)(assignment)?;
        self.receivers.tell("start:told", assignment).await?;
        Ok(Created::default())
    }

    async fn before_end(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        self.receivers.tell("end:told", assignment).await
    }

    async fn reconcile(&self, _assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        // There is nothing outside that could be asked.
        Ok(Vec::new())
    }
}
