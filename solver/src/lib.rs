//! Pure planning: Problem to Decision. No clock, no IO, no async.
