//! A resource type whose outside world does whatever it is told.

use async_trait::async_trait;
use plugin_api::{Assignment, Created, Finding, PluginError, ResourcePlugin};

/// Succeeds at everything, for the resource type it is given.
#[derive(Debug, Clone, Copy)]
pub struct Obliging(pub &'static str);

#[async_trait]
impl ResourcePlugin for Obliging {
    fn resource_type(&self) -> &str {
        self.0
    }

    async fn start(&self, _assignment: &Assignment) -> Result<Created, PluginError> {
        Ok(Created::default())
    }

    async fn before_end(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    async fn end(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    async fn reconcile(&self, _assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        Ok(Vec::new())
    }
}
