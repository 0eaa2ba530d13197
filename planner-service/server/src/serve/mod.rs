//! Accepts connections until told to stop.
//!
//! Invariants: a connection costs little and lasts only while its client sends requests and takes answers; requests of
//! one connection take turns with those of all others.

mod connections;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use self::connections::{Admission, Connections};
use crate::error::ApiError;
use crate::routes::access::is_public;

/// Seconds that requests under way get to finish after `shutdown`.
const GRACE_SECONDS: u64 = 30;
/// Most bytes of a connection that are read ahead, and of answers that wait for its client; the head of a request must fit.
const BUFFER: usize = 96 * 1024;
/// Requests after which a connection is closed: answers without a body are not counted in [`BUFFER`].
const REQUESTS: u32 = 1_000;
/// Connections accepted beyond the limit when none is idle; only public paths are answered on them.
pub const RESERVED: usize = 16;

/// How many clients are served, and how long they may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most connections at once, apart from [`RESERVED`].
    pub most: usize,
    /// In this time the head of the next request must be complete, and some of an answer must be taken.
    pub idle: Duration,
}

/// Leaves the machine time to close connections or files, of which there are too many.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing that the service's time decides waits for it"
)]
async fn pause_accepting() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Serves `router` on `listener` until `shutdown` is cancelled, then lets requests under way finish
/// (for at most 30 seconds).
pub async fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits, shutdown: CancellationToken) {
    let connections = Connections::new(limits.most);
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                // One that is not admitted is closed here.
                if let Some(admission) = connections.admit() {
                    tasks.spawn(converse(
                        stream,
                        router.clone(),
                        limits.idle,
                        admission,
                        shutdown.clone(),
                    ));
                }
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "connections cannot be accepted");
                pause_accepting().await;
            }
        }
    }
    drop(listener);
    tasks.close();
    let finished = tokio::time::timeout(Duration::from_secs(GRACE_SECONDS), tasks.wait()).await;
    if finished.is_err() {
        tracing::warn!(
            seconds = GRACE_SECONDS,
            "requests were still under way when the service stopped"
        );
    }
}

/// Whether a connection was gone before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves one connection until its client leaves, is silent for too long, or has to make room.
async fn converse(
    stream: TcpStream,
    router: Router,
    idle: Duration,
    admission: Admission,
    shutdown: CancellationToken,
) {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(idle));
    let requests = AtomicU32::new(0);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(BUFFER)
        .keep_alive(!admission.is_reserved)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            service_fn(|request| {
                let last = requests.fetch_add(1, Ordering::Relaxed) + 1 >= REQUESTS;
                answer(request.map(Body::new), router.clone(), &admission, last)
            }),
        );
    let mut serving = pin!(serving);
    let mut stopping = false;
    loop {
        tokio::select! {
            served = serving.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = admission.revoked() => return,
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Answers one request; the connection counts as busy until its client has the answer.
async fn answer(
    request: Request,
    mut router: Router,
    admission: &Admission,
    is_last: bool,
) -> Result<Response, Infallible> {
    let busy = Arc::new(admission.busy());
    // However many requests wait in the buffer of one connection, others get their turn between any two.
    tokio::task::yield_now().await;
    let mut response = if admission.is_reserved && !is_public(request.method(), request.uri().path()) {
        ApiError::Unavailable("As many clients are connected as the service takes; try again.".to_owned())
            .into_response()
    } else {
        router.call(request).await?
    };
    if is_last {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| {
        Body::new(body.inspect_frame(move |_| {
            let _until_the_body_is_dropped = &busy;
        }))
    }))
}
