//! What every plugin must withstand, checked on the fake cloud.
//!
//! Invariant: nothing here knows a resource type. A plugin passes if each of its methods, cut off after any call or
//! step and called again, ends where an undisturbed call ends; if an end after any part of a start leaves nothing
//! behind; and if the end of what never started changes nothing.

#[cfg(feature = "testing")]
mod assignment;
#[cfg(feature = "testing")]
mod life;
#[cfg(feature = "testing")]
mod subject;
#[cfg(feature = "testing")]
mod violation;

#[cfg(feature = "testing")]
pub use assignment::assignment;
#[cfg(feature = "testing")]
pub use subject::{Report, Subject};
#[cfg(feature = "testing")]
pub use violation::Violation;
