//! Questions about capacity on a snapshot: when, how many, what if.
