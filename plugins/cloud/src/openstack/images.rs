//! Glance over HTTP.
//!
//! Invariant: only the owner of an image is ever changed.

use async_trait::async_trait;
use http_client::Method;
use serde::Deserialize;
use serde_json::json;

use super::OpenStack;
use super::session::{Call, Service, segment};
use crate::{CloudError, Image, Images};

#[derive(Deserialize)]
struct ImageList {
    images: Vec<WireImage>,
}

#[derive(Deserialize)]
struct WireImage {
    id: String,
    name: Option<String>,
    owner: Option<String>,
}

#[async_trait]
impl Images for OpenStack {
    async fn find_images(&self, property: &'static str, value: &str) -> Result<Vec<Image>, CloudError> {
        let operation = format!("find images with {property} {value}");
        let call = Call::new(Service::Glance, Method::GET, "images", operation).query(property, value);
        let list: ImageList = self.session.send(&call).await?.read(&call)?;
        let images = list.images.into_iter();
        Ok(images
            .map(|wire| Image {
                id: wire.id,
                name: wire.name.unwrap_or_default(),
                owner: wire.owner,
            })
            .collect())
    }

    async fn set_owner(&self, image: &Image, project_id: &str) -> Result<(), CloudError> {
        let path = format!("images/{}", segment(&image.id));
        let operation = format!("give image {} to project {project_id}", image.name);
        let call = Call::new(Service::Glance, Method::PATCH, path, operation).body_as(
            "application/openstack-images-v2.1-json-patch",
            json!([{"op": "replace", "path": "/owner", "value": project_id}]),
        );
        self.session.send(&call).await.map(drop)
    }
}
