//! Request bodies and the ids in paths.
//!
//! Invariant: reading a body takes bounded memory, stack and time, whatever arrives, and all bodies together take no
//! more than [`HELD`] bytes beyond the [`FREE`] that each may have.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, Path, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use http_body_util::LengthLimitError;
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::convert::python::kind_of;
use crate::error::ApiError;

/// Longest body in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
/// Seconds in which a body must arrive.
const BODY_SECONDS: u64 = 30;
/// Bytes of every body that do not count against [`HELD`]: common requests never wait for those with long bodies.
const FREE: usize = 16 * 1024;
/// Most bytes of bodies that are being read or worked on at once.
const HELD: usize = 64 * 1024 * 1024;
/// Time in which there must be room for more of a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// There is no room for more of a body.
#[derive(Debug, thiserror::Error)]
#[error("too many long bodies are being read at once")]
struct NoRoom;

/// Room for all bodies.
#[derive(Clone)]
pub(crate) struct Bodies {
    room: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(HELD)),
            patience: PATIENCE,
        }
    }
}

impl Bodies {
    async fn room(self, bytes: usize) -> Result<OwnedSemaphorePermit, NoRoom> {
        let bytes = u32::try_from(bytes).map_err(|_| NoRoom)?;
        let room = tokio::time::timeout(self.patience, self.room.acquire_many_owned(bytes)).await;
        room.ok().and_then(Result::ok).ok_or(NoRoom)
    }
}

/// Counts what arrives of a body until its request is answered.
pub(crate) async fn count(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    let held: Arc<Mutex<Option<OwnedSemaphorePermit>>> = Arc::default();
    let request = request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        let (held, mut arrived) = (Arc::clone(&held), 0);
        Body::from_stream(body.into_data_stream().then(move |data| {
            let (bodies, held) = (bodies.clone(), Arc::clone(&held));
            let before = arrived;
            arrived += data.as_ref().map_or(0, Bytes::len);
            let counted = arrived.saturating_sub(before.max(FREE));
            async move {
                let data = data?;
                if counted > 0 {
                    let room = bodies.room(counted).await.map_err(axum::Error::new)?;
                    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                    match held.as_mut() {
                        Some(held) => held.merge(room),
                        None => *held = Some(room),
                    }
                }
                Ok::<_, axum::Error>(data)
            }
        }))
    });
    let response = next.run(request).await;
    drop(held);
    response
}

/// Reads a JSON object; no body at all is an empty one.
pub(crate) async fn object(body: Body) -> Result<Object, ApiError> {
    if body.size_hint().lower() > u64::try_from(MAX_BODY).unwrap_or(u64::MAX) {
        return Err(ApiError::BodyTooLarge(MAX_BODY));
    }
    let bytes = tokio::time::timeout(Duration::from_secs(BODY_SECONDS), to_bytes(body, MAX_BODY))
        .await
        .map_err(|_| ApiError::BodyTimeout(BODY_SECONDS))?
        .map_err(|error| unread(&error))?;
    if bytes.is_empty() {
        return Ok(Object::new());
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(ApiError::Body(format!(
            "The request body must be a JSON object, not {}.",
            kind_of(&other)
        ))),
        Err(error) => Err(ApiError::Body(format!("The request body is not valid JSON: {error}."))),
    }
}

/// Why a body was not read.
fn unread(error: &axum::Error) -> ApiError {
    let causes = || {
        std::iter::successors(Some(error as &(dyn Error + 'static)), |cause| {
            <dyn Error>::source(*cause)
        })
    };
    if causes().any(<dyn Error>::is::<LengthLimitError>) {
        ApiError::BodyTooLarge(MAX_BODY)
    } else if causes().any(<dyn Error>::is::<NoRoom>) {
        ApiError::Unavailable("Too many long requests are being read at once; try again.".to_owned())
    } else {
        ApiError::Body("The request body could not be read.".to_owned())
    }
}

/// The id in a path; as the last part of the path it may carry the suffix `.json`.
pub(crate) struct PathId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let last = parts
            .extensions
            .get::<MatchedPath>()
            .is_some_and(|path| path.as_str().ends_with('}'));
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::NoRoute)?;
        Ok(Self(match id.strip_suffix(".json") {
            Some(stem) if last && !stem.is_empty() => stem.to_owned(),
            _ => id,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use futures_util::stream;
    use tokio::sync::oneshot;
    use tower::ServiceExt;

    use super::*;

    /// Reads bodies and has room for `room` bytes of them.
    fn reader(room: usize) -> Router {
        let bodies = Bodies {
            room: Arc::new(Semaphore::new(room)),
            patience: Duration::from_millis(50),
        };
        let read = async |body: Body| object(body).await.map(|_| ());
        Router::new()
            .route("/", post(read))
            .layer(from_fn_with_state(bodies, count))
    }

    async fn send(reader: &Router, body: Body) -> StatusCode {
        let request = Request::post("/").body(body).unwrap();
        reader.clone().oneshot(request).await.unwrap().status()
    }

    /// `length` bytes at once, then nothing until the other half is told to go on.
    fn held(length: usize) -> (Body, oneshot::Sender<()>, oneshot::Receiver<()>) {
        let (go_on, told) = oneshot::channel();
        let (taken, was_taken) = oneshot::channel();
        let first = stream::once(async move { Bytes::from(vec![b' '; length]) });
        let last = stream::once(async move {
            let _ = taken.send(());
            let _ = told.await;
            Bytes::from_static(b"{}")
        });
        let body = first.chain(last).map(Ok::<_, Infallible>);
        (Body::from_stream(body), go_on, was_taken)
    }

    #[tokio::test]
    async fn f7_bodies_that_are_held_open_take_bounded_memory_together() {
        let long = 4 * FREE;
        let reader = reader(2 * long);
        let mut others = Vec::new();
        for _ in 0..2 {
            let (body, go_on, was_taken) = held(long);
            let reader = reader.clone();
            others.push((
                tokio_util::task::TaskTracker::new().spawn(async move { send(&reader, body).await }),
                go_on,
            ));
            was_taken.await.unwrap();
        }
        let padded = |length: usize| Body::from(" ".repeat(length - 2) + "{}");
        assert_eq!(send(&reader, padded(long)).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            send(&reader, padded(FREE)).await,
            StatusCode::OK,
            "short ones never wait"
        );
        for (other, go_on) in others {
            go_on.send(()).unwrap();
            assert_eq!(other.await.unwrap(), StatusCode::OK);
        }
        assert_eq!(
            send(&reader, padded(long)).await,
            StatusCode::OK,
            "what was held is given back"
        );
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_refused_whether_or_not_it_says_so() {
        let reader = reader(HELD);
        let long = vec![b' '; MAX_BODY + 1];
        assert_eq!(
            send(&reader, Body::from(long.clone())).await,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        let chunks: Vec<_> = long
            .chunks(1000)
            .map(|chunk| Ok::<_, Infallible>(chunk.to_vec()))
            .collect();
        let unsaid = Body::from_stream(stream::iter(chunks));
        assert_eq!(send(&reader, unsaid).await, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
