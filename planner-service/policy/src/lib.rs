//! The rule language of oslo.policy and Blazar's rules.
