//! Ports to Nova, Placement, Keystone and Glance, and their adapters.
