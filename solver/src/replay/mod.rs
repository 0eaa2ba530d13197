//! Mode `replay`: a stream of requests with a clock that moves to each arrival.
