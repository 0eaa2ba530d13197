//! Lists of any length as answers: `{"NAME": [item, ...]}`.
//!
//! Invariants: items are found, put in order and written where a thread may block, [`PIECE`] bytes at a time, and no
//! faster than the client reads; clients who do not read keep no more than [`UNREAD`] bytes of lists in memory together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use crate::error::ApiError;

/// Bytes after which a list goes on in another piece.
const PIECE: usize = 32 * 1024;
/// Most bytes of all lists that have been written and not yet read; one piece alone may be longer.
const UNREAD: usize = 64 * 1024 * 1024;
/// Bytes that one permit of [`Lists::unread`] stands for.
const UNIT: usize = 1024;
/// Time in which a list must have begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all lists share.
#[derive(Clone)]
pub(crate) struct Lists {
    /// Pieces that are written at once.
    turns: Arc<Semaphore>,
    unread: Arc<Semaphore>,
    patience: Duration,
}

/// Why a list ends early.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("an item could not be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("a piece of a list was not written")]
    Work(#[from] JoinError),
    #[error("the service is stopping")]
    Stopping(#[from] tokio::sync::AcquireError),
}

/// A list that has been written up to some item.
struct Rest<I> {
    name: &'static str,
    items: I,
    written: usize,
    is_done: bool,
}

/// A piece that counts as unread until it is dropped.
struct Piece {
    bytes: Vec<u8>,
    _unread: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Lists {
    fn default() -> Self {
        // Half of the processors, so that the other half goes on answering.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            turns: Arc::new(Semaphore::new((processors / 2).max(1))),
            unread: Arc::new(Semaphore::new(UNREAD / UNIT)),
            patience: PATIENCE,
        }
    }
}

impl Lists {
    /// The items of a list as an answer; `items` runs where it may block.
    pub(crate) async fn answer<T, I>(
        &self,
        name: &'static str,
        items: impl FnOnce() -> I + Send + 'static,
    ) -> Result<Response, ApiError>
    where
        T: Serialize,
        I: Iterator<Item = T> + Send + 'static,
    {
        let begin = || Rest {
            name,
            items: items(),
            written: 0,
            is_done: false,
        };
        let begun = tokio::time::timeout(self.patience, self.piece(begin)).await;
        let (first, rest) = begun
            .map_err(|_| ApiError::Unavailable("Too many lists are being read at once; try again.".to_owned()))?
            .map_err(|error| {
                tracing::error!(%error, "a list could not be begun");
                ApiError::Internal
            })?;
        let body = if rest.is_done {
            Body::from(first)
        } else {
            let lists = self.clone();
            let others = stream::try_unfold(rest, move |rest| {
                let lists = lists.clone();
                async move {
                    if rest.is_done {
                        return Ok(None);
                    }
                    lists.piece(move || rest).await.map(Some).inspect_err(|error| {
                        tracing::error!(%error, "a list ended early");
                    })
                }
            });
            Body::from_stream(stream::iter([Ok(first)]).chain(others))
        };
        let mut response = Response::new(body);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(response)
    }

    /// Writes one more piece. The turn is kept until there is room for it, so that no more than those that are being
    /// written are in memory uncounted.
    async fn piece<T, I>(
        &self,
        rest: impl FnOnce() -> Rest<I> + Send + 'static,
    ) -> Result<(Bytes, Rest<I>), Interrupted>
    where
        T: Serialize,
        I: Iterator<Item = T> + Send + 'static,
    {
        let _turn = self.turns.acquire().await?;
        let written = tokio::task::spawn_blocking(move || {
            let mut rest = rest();
            rest.write().map(|bytes| (bytes, rest))
        });
        let (bytes, rest) = written.await??;
        let units = bytes.len().div_ceil(UNIT).min(UNREAD / UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let unread = Arc::clone(&self.unread).acquire_many_owned(units).await?;
        let piece = Piece { bytes, _unread: unread };
        Ok((Bytes::from_owner(piece), rest))
    }
}

impl<T: Serialize, I: Iterator<Item = T>> Rest<I> {
    fn write(&mut self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = Vec::with_capacity(2 * PIECE);
        if self.written == 0 {
            bytes.extend(b"{\"");
            bytes.extend(self.name.as_bytes());
            bytes.extend(b"\":[");
        }
        while bytes.len() < PIECE {
            let Some(item) = self.items.next() else {
                bytes.extend(b"]}");
                self.is_done = true;
                break;
            };
            if self.written > 0 {
                bytes.push(b',');
            }
            serde_json::to_writer(&mut bytes, &item)?;
            self.written += 1;
        }
        bytes.shrink_to_fit();
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use axum::body::to_bytes;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;

    use super::*;

    fn lists(unread: usize) -> Lists {
        Lists {
            unread: Arc::new(Semaphore::new(unread / UNIT)),
            // Pieces are written on other threads, which a busy machine may keep waiting.
            patience: Duration::from_secs(2),
            ..Lists::default()
        }
    }

    /// On a runtime of one thread: were the list written there, it would wait for itself.
    #[tokio::test]
    async fn v13_lists_are_not_written_on_the_event_loop() {
        let (tell, told) = mpsc::channel::<u32>();
        let lists = Lists::default();
        let listing = lists.answer("numbers", move || told.into_iter());
        let telling = async move {
            for number in 0..3 {
                tokio::task::yield_now().await;
                tell.send(number).unwrap();
            }
        };
        let (answer, ()) = tokio::join!(listing, telling);
        let text = to_bytes(answer.unwrap().into_body(), usize::MAX).await.unwrap();
        assert_eq!(text, "{\"numbers\":[0,1,2]}");
    }

    #[tokio::test]
    async fn v13_lists_that_nobody_reads_take_bounded_memory_together() {
        let lists = lists(4 * PIECE);
        let endless = || std::iter::repeat("x".repeat(1_000));
        let mut unread = Vec::new();
        let status = loop {
            match lists.answer("endless", endless).await {
                Ok(answer) => unread.push(answer),
                Err(error) => break error.into_response().status(),
            }
            assert!(unread.len() < 10, "there is no bound");
        };
        assert_eq!((status, unread.len()), (StatusCode::SERVICE_UNAVAILABLE, 3));
        unread.pop();
        let again = lists.answer("endless", endless).await;
        assert!(again.is_ok(), "what was held is given back");
    }
}
