//! The solver's integer models on HiGHS.
