//! Adapter of the ports on `openstack_sdk`.
