//! Mode `heal`: everything off unreservable and blocked hosts, with the fewest changes.
