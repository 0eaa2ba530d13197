"""blazar-dashboard: every function of the module its panels call, with a request as Horizon makes it."""
import importlib
import inspect
import types

import django
from django.conf import settings

import identity


def configure(identity_url):
    """Horizon's own defaults, where Keystone is, and nothing else: no panels, no database, no templates."""
    values = {}
    for name in ("horizon.defaults", "openstack_auth.defaults", "openstack_dashboard.defaults"):
        module = importlib.import_module(name)
        values.update({key: value for key, value in vars(module).items() if key.isupper()})
    values.update(OPENSTACK_KEYSTONE_URL=identity_url, HORIZON_CONFIG={}, INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
                  USE_TZ=True, SECRET_KEY="for tests")
    settings.configure(**values)
    django.setup()


def request(identity_url, reservation_url, token, project_id):
    """A logged-in user as `openstack_auth` gives it to the panels."""
    body = identity.catalog(identity_url, reservation_url, project_id)
    user = types.SimpleNamespace(service_catalog=body["catalog"], services_region=identity.REGION, project_id=project_id,
                                 token=types.SimpleNamespace(id=token))
    return types.SimpleNamespace(user=user, session={"domain_context": "default"})


def main(identity_url, reservation_url, token, project_id):
    """Hosts and leases through the module, and the calendar with what is booked on them."""
    configure(identity_url)
    from blazar_dashboard.api import client as module
    from blazarclient import exception
    used = set()

    class Recorder:
        def __getattr__(self, name):
            used.add(name)
            return getattr(module, name)
    api = Recorder()
    asked = request(identity_url, reservation_url, token, project_id)
    extras = {"vcpus": "8", "memory_mb": "1024", "local_gb": "1", "rack": "r1"}
    hosts = [api.host_create(asked, name, **extras) for name in ("node-1", "node-2")]
    assert hosts[0].extra_capabilities()["rack"] == "r1", hosts[0].to_dict()
    api.host_update(asked, hosts[0].id, {"rack": "r2"})
    shown = api.host_get(asked, hosts[0].id)
    assert shown.extra_capabilities()["rack"] == "r2" and shown.reservable is True, shown.to_dict()
    shown.cpu_info_dict()
    assert len(api.host_list(asked)) == 2

    # The create form's values: an affinity that nobody chose is the text "None", and dates are minutes of UTC.
    whole = {"resource_type": "physical:host", "min": 1, "max": 2, "hypervisor_properties": "", "resource_properties": ""}
    lease = api.lease_create(asked, "whole", "2050-01-01 00:00", "2050-01-02 00:00", [whole], [])
    for affinity in ("None", "", "True", "False"):
        instance = {"resource_type": "virtual:instance", "amount": 2, "vcpus": 1, "memory_mb": 256, "disk_gb": 0,
                    "affinity": affinity, "resource_properties": ""}
        made = api.lease_create(asked, f"affinity {affinity}", "2050-02-01 00:00", "2050-02-02 00:00", [instance], [])
        api.lease_delete(asked, made.id)
    shown = api.lease_get(asked, lease.id)
    assert (shown.status, shown.degraded, shown.name) == ("PENDING", False, "whole"), shown.to_dict()
    reservation = shown.reservations[0]
    assert {"id", "status", "resource_type", "missing_resources", "resources_changed"} <= set(reservation), reservation
    assert all({"event_type", "status", "time"} <= set(event) for event in shown.events), shown.events
    api.lease_update(asked, lease_id=lease.id, name="renamed", prolong_for="1h", defer_by="30m",
                     reservations=[{"id": reservation["id"], "min": 2, "max": 2}])
    assert [(entry.name, entry.status) for entry in api.lease_list(asked)] == [("renamed", "PENDING")]
    try:
        api.lease_create(asked, "too much", "2050-01-01 00:00", "2050-01-02 00:00", [dict(whole, min=3, max=3)], [])
        raise AssertionError("more hosts than there are were booked")
    except exception.BlazarClientException as refusal:
        assert "Not enough hosts available" in str(refusal), refusal

    allocations = {entry.resource_id: entry.reservations for entry in api.host_allocations_list(asked)}
    assert set(allocations) == {host.id for host in hosts} and all(allocations.values()), allocations
    computes, booked = api.reservation_calendar(asked)
    assert sorted(entry["hypervisor_hostname"] for entry in computes) == ["node-1", "node-2"], computes
    assert len(booked) == 2 and all(entry["reservation_id"] == reservation["id"] for entry in booked), booked

    api.lease_delete(asked, lease.id)
    for host in hosts:
        api.host_delete(asked, host.id)
    api.blazarclient(asked)
    functions = {name for name, value in vars(module).items()
                 if inspect.isfunction(value) and not name.startswith("_") and value.__module__ == module.__name__}
    assert functions | {"blazarclient"} == used, f"not called: {sorted(functions - used)}"
    return f"{len(used)} functions"
