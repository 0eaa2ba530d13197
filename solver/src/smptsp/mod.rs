//! The shift minimisation personnel task scheduling problem: fixed intervals, eligibility, fewest workers.
