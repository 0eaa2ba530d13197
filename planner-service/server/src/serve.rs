//! Accepts connections until told to stop.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Seconds that requests under way get to finish after `shutdown`.
const GRACE_SECONDS: u64 = 30;

/// Serves `router` on `listener` until `shutdown` is cancelled, then lets requests under way finish
/// (for at most 30 seconds).
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> std::io::Result<()> {
    let stopped = shutdown.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { stopped.cancelled().await });
    tokio::select! {
        result = serving.into_future() => result,
        () = async {
            shutdown.cancelled().await;
            tokio::time::sleep(Duration::from_secs(GRACE_SECONDS)).await;
        } => {
            tracing::warn!(seconds = GRACE_SECONDS, "requests were still under way when the service stopped");
            Ok(())
        }
    }
}
