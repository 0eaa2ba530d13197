"""A Nova compute driver that runs nothing. Copied to `nova/virt/berth_test_bed.py`, the only place Nova loads from.

Nova's own small and medium fakes give their node a new identity at every start; the parent used here reads it
from `compute_id` in the state directory. Sizes come from the environment so that hosts can differ.
"""
import os

from nova.virt import fake


class StableFakeDriver(fake.FakeDriverWithoutFakeNodes):
    """Fake hypervisor of a chosen size."""

    vcpus = int(os.environ.get("BERTH_FAKE_VCPUS", "8"))
    memory_mb = int(os.environ.get("BERTH_FAKE_MEMORY_MB", "16384"))
    local_gb = int(os.environ.get("BERTH_FAKE_LOCAL_GB", "1000"))
