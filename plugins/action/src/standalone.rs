//! Resource types that are Berth's own inventory, for machines and networks without a cloud around them.
//!
//! Invariant: the book alone says who may use what. Start and end tell the operator's own machinery, with the same key
//! for every repetition, so that it can carry each out once; a reservation that has grown has a new key.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use http_client::{Client, ClientError, Trust};
use plugin_api::{Assignment, Created, Finding, PluginError, ResourcePlugin, StepObserver};

use crate::Action;

/// Whom to tell: all of them, in this order.
#[derive(Clone)]
pub struct Receivers {
    actions: Vec<Action>,
    client: Client,
    steps: Arc<dyn StepObserver>,
}

impl Receivers {
    /// These receivers.
    ///
    /// # Errors
    /// When no HTTP client can be made for the webhooks.
    pub fn new(actions: Vec<Action>, steps: Arc<dyn StepObserver>) -> Result<Self, ClientError> {
        let webhooks = actions.iter().filter_map(|action| match action {
            Action::Webhook(webhook) => Some(webhook),
            Action::Command(_) => None,
        });
        let trust = Trust::for_urls(webhooks.clone().map(|webhook| webhook.url.as_str()));
        let longest = webhooks.map(|webhook| webhook.timeout).max().unwrap_or_default();
        let client = Client::new(longest, trust)?;
        Ok(Self { actions, client, steps })
    }

    /// Tells all of them, and reports the step after each.
    ///
    /// # Errors
    /// When one does not say that it is done; those after it are not told.
    pub async fn tell(
        &self,
        event: &'static str,
        step: &'static str,
        assignment: &Assignment,
    ) -> Result<(), PluginError> {
        for action in &self.actions {
            action.carry_out(&self.client, event, assignment).await?;
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
        self.receivers.tell("start", "start:told", assignment).await?;
        Ok(Created::default())
    }

    async fn before_end(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        self.receivers.tell("end", "end:told", assignment).await
    }

    async fn reconcile(&self, _assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        // There is nothing outside that could be asked.
        Ok(Vec::new())
    }
}
