//! Saving what runs on a reservation before it ends.
//!
//! Invariant: one image per server and end of the reservation, however often the action is repeated.
//! The image's own property remembers what it was made for, so nothing has to be written down here.

use std::collections::BTreeMap;

use cloud::Server;
use plugin_api::{Assignment, PluginError};
use pools::unavailable;

use super::OpenStackHosts;

/// Image property that says which server was saved for which end of which reservation.
const SAVED_FOR: &str = "berth_saved_for";

/// Names of images are limited by Glance.
const LONGEST_NAME: usize = 255;

impl OpenStackHosts {
    pub(super) async fn act_before_end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        let action = match assignment.before_end.as_str() {
            "default" => self.config.before_end.as_str(),
            asked => asked,
        };
        match action {
            "" => Ok(()),
            "snapshot" => self.save_servers(assignment).await,
            other => Err(PluginError::Rejected(format!(
                "before_end is '{other}'; it may be 'default', 'snapshot' or empty"
            ))),
        }
    }

    async fn save_servers(&self, assignment: &Assignment) -> Result<(), PluginError> {
        let pools = self.pools(&assignment.reservation_id).await.map_err(unavailable)?;
        let Some(own) = &pools.own else { return Ok(()) };
        for host in &own.hosts {
            for server in self.compute.servers_on(host).await.map_err(unavailable)? {
                self.save_server(assignment, &server).await?;
            }
        }
        Ok(())
    }

    async fn save_server(&self, assignment: &Assignment, server: &Server) -> Result<(), PluginError> {
        let purpose = format!("{}/{}/{}", assignment.reservation_id, server.id, assignment.end);
        let mut images = self
            .images
            .find_images(SAVED_FOR, &purpose)
            .await
            .map_err(unavailable)?;
        if images.is_empty() {
            let name: String = format!("{}{}", self.config.image_prefix, server.name)
                .chars()
                .take(LONGEST_NAME)
                .collect();
            let properties = BTreeMap::from([(SAVED_FOR.to_owned(), purpose.clone())]);
            match self.compute.create_image(&server.id, &name, &properties).await {
                Ok(()) => self.steps.reached("before_end:image_created"),
                // The user has deleted the server meanwhile.
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(unavailable(error)),
            }
            images = self
                .images
                .find_images(SAVED_FOR, &purpose)
                .await
                .map_err(unavailable)?;
        }
        for image in &images {
            // Nova makes the image for whoever asked, which is the service; its user has to find it.
            if image.owner.as_deref() != Some(assignment.project_id.as_str()) {
                self.images
                    .set_owner(image, &assignment.project_id)
                    .await
                    .map_err(unavailable)?;
                self.steps.reached("before_end:image_owned");
            }
        }
        Ok(())
    }
}
