//! Reading the body of an answer.

use reqwest::Response;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the caller allows.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: usize,
    },
    /// The connection broke, or the time was over.
    #[error("the answer broke off: {}", crate::deepest_cause(.0))]
    Broken(#[source] reqwest::Error),
}

/// Reads a whole body, for documents: half of one is worth nothing.
///
/// # Errors
/// [`BodyError::TooLong`] as soon as there are more than `limit` bytes; [`BodyError::Broken`] when it does not arrive.
pub async fn body_up_to(answer: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    // An announced length is that of the bytes sent; compressed ones only grow.
    if answer.content_length().is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLong { limit });
    }
    let mut body = Vec::new();
    read(answer, limit + 1, &mut body)
        .await
        .map_err(|error| BodyError::Broken(error.without_url()))?;
    if body.len() > limit {
        return Err(BodyError::TooLong { limit });
    }
    Ok(body)
}

/// Reads at most `limit` bytes of a body, for complaints: what arrived before the connection broke is still of use.
pub async fn beginning_of(answer: Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    // The beginning is all that is asked for, so an end that comes early is no failure.
    let _ = read(answer, limit, &mut body).await;
    body
}

async fn read(mut answer: Response, limit: usize, body: &mut Vec<u8>) -> reqwest::Result<()> {
    while body.len() < limit {
        let Some(chunk) = answer.chunk().await? else { break };
        let room = limit - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    Ok(())
}
