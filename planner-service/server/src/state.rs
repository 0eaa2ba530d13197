//! What every handler can reach.

use std::ops::Deref;
use std::sync::Arc;

use axum::http::HeaderMap;
use planner_core::authority::Caller;
use planner_core::service::Service;
use tokio_util::task::TaskTracker;

use crate::body::Bodies;
use crate::error::ApiError;
use crate::identity::{AUTH_TOKEN, Authenticator, token};
use crate::list::Lists;
use crate::trusts::Trusts;

/// What every handler can reach. Requests copy a few pointers.
#[derive(Clone)]
pub struct ApiState {
    parts: Arc<ApiParts>,
    pub(crate) bodies: Bodies,
    pub(crate) lists: Lists,
}

/// What the API is put together from.
pub struct ApiParts {
    /// The use cases.
    pub service: Service,
    /// Finds out who asks.
    pub authenticator: Arc<dyn Authenticator>,
    /// Makes Keystone trusts for new leases and hosts, if configured.
    pub trusts: Option<Arc<dyn Trusts>>,
    /// Root URL under which clients reach the service, without `/v1`; never taken from a request.
    pub public_url: Arc<str>,
    /// Carries changes through when their client has hung up; the program waits for it before it ends.
    pub tasks: TaskTracker,
}

impl Deref for ApiState {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.parts
    }
}

impl ApiState {
    /// The state of an API that has not yet been asked anything.
    pub fn new(parts: ApiParts) -> Self {
        Self {
            parts: Arc::new(parts),
            bodies: Bodies::default(),
            lists: Lists::default(),
        }
    }

    /// URL of the reservation API.
    pub fn reservation_url(&self) -> String {
        format!("{}/v1", self.public_url.trim_end_matches('/'))
    }

    /// The caller with a trust made by the token of this request, where trusts are configured.
    pub(crate) async fn with_trust(&self, caller: Caller, headers: &HeaderMap) -> Result<Caller, ApiError> {
        match (&self.trusts, token(headers, &AUTH_TOKEN)) {
            (Some(trusts), Some(token)) => {
                let trust_id = Some(trusts.create(&token, &caller).await?);
                Ok(Caller { trust_id, ..caller })
            }
            _ => Ok(caller),
        }
    }
}
