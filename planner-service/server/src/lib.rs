//! The HTTP service: routes, middleware, identity.
