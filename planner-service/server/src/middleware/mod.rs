//! What happens to every request before its handler: outermost first, a request id, the search for
//! defects that panic, the microversion, who asks, and the type of the body.

pub(crate) mod age;
pub(crate) mod authentication;
pub(crate) mod completion;
pub(crate) mod content_type;
pub(crate) mod microversion;
pub(crate) mod panic;
pub(crate) mod request_id;
