//! The adapter against misbehaving services.
