//! Taking over from Blazar: its database, read as the contents of a book.
//!
//! Invariants: the source is only read, in one transaction that may not write; every id is kept; what cannot be taken
//! over is named, and nothing that holds resources now or later is left out silently.

mod conflict;
mod merge;
mod row;
mod source;
mod translate;

pub use conflict::{DoubleBooking, double_bookings, give_way};
pub use merge::{Merged, Tally, merge};
pub use row::RowError;
pub use source::{Source, SourceError, read};
pub use translate::{Note, TranslateError, Translation, translate};
