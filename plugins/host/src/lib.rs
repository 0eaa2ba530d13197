//! The resource type physical:host.
