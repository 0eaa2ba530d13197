//! The trait every resource type implements.
