"""openstacksdk: the reservation service is an adapter without resource classes, found through the catalog."""
import openstack
from blazarclient import client as blazar_client

import identity


def main(identity_url, token):
    """The adapter's verbs over a host and a lease, then python-blazarclient on the same session."""
    cloud = openstack.connect(
        load_yaml_config=False, load_envvars=False, auth_url=identity_url, username="u", password=token, project_name="p",
        user_domain_name="Default", project_domain_name="Default", region_name=identity.REGION)
    adapter = cloud.reservation
    host = adapter.post("/os-hosts", json={"name": "node-1", "vcpus": "8", "memory_mb": "1024", "local_gb": "1"})
    assert host.status_code == 201, host.text
    host = host.json()["host"]
    lease = adapter.post("/leases", json={
        "name": "adapter", "start_date": "2050-01-01 00:00", "end_date": "2050-01-02 00:00", "events": [],
        "reservations": [{"resource_type": "physical:host", "min": 1, "max": 1, "hypervisor_properties": "",
                          "resource_properties": ""}]})
    assert lease.status_code == 201, lease.text
    path = f"/leases/{lease.json()['lease']['id']}"
    assert [entry["name"] for entry in adapter.get("/leases").json()["leases"]] == ["adapter"]
    assert adapter.put(path, json={"name": "adapted"}).json()["lease"]["name"] == "adapted"
    refused = adapter.put(path, json={"end_date": "2049-01-01 00:00"})
    assert refused.status_code == 400 and refused.json()["error_message"], refused.text
    assert adapter.patch("/os-hosts/properties/unheard-of", json={"private": True}).status_code == 404
    bindings = blazar_client.Client(session=cloud.session, service_type="reservation", region_name=identity.REGION)
    assert bindings.allocation.get("os-hosts", host["id"])["reservations"], "the library sees no allocation"
    assert adapter.delete(path).status_code == 204
    assert adapter.get(path).status_code == 404
    assert adapter.delete(f"/os-hosts/{host['id']}").status_code == 204
    return "adapter and library"
