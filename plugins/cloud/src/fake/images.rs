//! Images.
//!
//! Invariant: an image belongs to whoever asked for it until it is given away.

use async_trait::async_trait;

use super::{Answer, FakeCloud};
use crate::{CloudError, Image, Images};

#[async_trait]
impl Images for FakeCloud {
    async fn find_images(&self, property: &'static str, value: &str) -> Result<Vec<Image>, CloudError> {
        self.call("glance", format!("find images with {property} {value}"), |state| {
            Ok(state
                .images
                .iter()
                .filter(|(_, properties)| properties.get(property).is_some_and(|found| found == value))
                .map(|(image, _)| image.clone())
                .collect())
        })
    }

    async fn set_owner(&self, image: &Image, project_id: &str) -> Result<(), CloudError> {
        self.call(
            "glance",
            format!("give image {} to project {project_id}", image.name),
            |state| {
                let found = state
                    .images
                    .iter_mut()
                    .find(|(candidate, _)| candidate.id == image.id)
                    .ok_or(Answer(404, "No image found."))?;
                found.0.owner = Some(project_id.to_owned());
                Ok(())
            },
        )
    }
}
