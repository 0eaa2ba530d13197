//! Mode `batch`: the most valuable subset of the requests, with a proved bound.
