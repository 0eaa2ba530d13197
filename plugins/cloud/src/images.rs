//! What Berth needs from Glance.
//!
//! Invariant: images are found by a property that names what they were made for, never by their
//! name, which users choose.

use async_trait::async_trait;

use crate::CloudError;

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The project it belongs to.
    pub owner: Option<String>,
}

/// The image service.
#[async_trait]
pub trait Images: Send + Sync {
    /// Images of all projects with this property, whatever their state.
    async fn find_images(&self, property: &'static str, value: &str) -> Result<Vec<Image>, CloudError>;

    /// Gives an image to a project.
    async fn set_owner(&self, image: &Image, project_id: &str) -> Result<(), CloudError>;
}
