"""Accounts, catalog, flavors, image, network and the free pool, made through the public APIs of a freshly laid cloud.

Run as `python population.py identity` once Keystone answers and `python population.py resources` once all do;
`python population.py wake` instead of both when the databases were kept.
"""
import sys

import openstack

import settings

# id, name, vcpus, MiB of memory, GiB of disk
FLAVORS = (("1", "m1.tiny", 1, 512, 1), ("2", "m1.small", 2, 1024, 1), ("3", "m1.large", 8, 8192, 10))
ENDPOINTS = (
    ("placement", "placement", f"http://{settings.HOST}:{settings.PORTS['placement']}"),
    ("compute", "nova", f"http://{settings.HOST}:{settings.PORTS['nova']}/v2.1"),
    ("image", "glance", f"http://{settings.HOST}:{settings.PORTS['glance']}"),
    ("network", "neutron", f"http://{settings.HOST}:{settings.PORTS['neutron']}"),
    ("reservation", "blazar", settings.RESERVATION_URL),
)


def connect():
    """A connection as the administrator."""
    names = {"OS_AUTH_URL": "auth_url", "OS_USERNAME": "username", "OS_PASSWORD": "password",
             "OS_PROJECT_NAME": "project_name", "OS_USER_DOMAIN_NAME": "user_domain_name",
             "OS_PROJECT_DOMAIN_NAME": "project_domain_name"}
    values = settings.credentials("admin", "admin")
    return openstack.connect(load_yaml_config=False, load_envvars=False, region_name=settings.REGION,
                             **{argument: values[name] for name, argument in names.items()})


def point_reservation_at(url):
    """Makes the catalog's `reservation` service answer at `url`."""
    identity = connect().identity
    service = next(identity.services(type="reservation"))
    for endpoint in identity.endpoints(service_id=service.id):
        if endpoint.url != url:
            identity.update_endpoint(endpoint, url=url)


def identity():
    """Projects, users, roles, services and endpoints."""
    cloud = connect().identity
    roles = {role.name: role for role in cloud.roles()}
    if "service" not in roles:
        roles["service"] = cloud.create_role(name="service")
    projects = {name: cloud.create_project(name=name, domain_id="default") for name in ("service", *settings.TENANTS)}
    for name in settings.SERVICE_USERS:
        user = cloud.create_user(name=name, password=settings.PASSWORD, domain_id="default")
        for role in ("admin", "service"):
            cloud.assign_project_role_to_user(projects["service"], user, roles[role])
    for name in settings.TENANTS:
        user = cloud.create_user(name=name, password=settings.PASSWORD, domain_id="default")
        cloud.assign_project_role_to_user(projects[name], user, roles["member"])
    for kind, name, url in ENDPOINTS:
        service = cloud.create_service(type=kind, name=name)
        for interface in ("public", "internal", "admin"):
            cloud.create_endpoint(service_id=service.id, interface=interface, url=url, region_id=settings.REGION)


def resources():
    """What a booking and a boot need to exist."""
    cloud = connect()
    for number, name, vcpus, memory, disk in FLAVORS:
        cloud.compute.create_flavor(id=number, name=name, vcpus=vcpus, ram=memory, disk=disk)
    cloud.image.create_image(name="fake", disk_format="raw", container_format="bare", visibility="public",
                             data=bytes(1024), wait=False, allow_duplicates=True)
    cloud.compute.create_aggregate(name="freepool")
    public = cloud.network.create_network(name="public", is_router_external=True, provider_network_type="flat",
                                          provider_physical_network="public")
    # Addresses outside the pool (.100 and up) are free to be registered as reservable floating IPs.
    cloud.network.create_subnet(network_id=public.id, name="public", ip_version=4, cidr="198.51.100.0/24",
                                gateway_ip="198.51.100.1", is_dhcp_enabled=False,
                                allocation_pools=[{"start": "198.51.100.10", "end": "198.51.100.99"}])


def wake():
    """Has Neutron load its models: until the first query of another kind, a list of ports is an error 500."""
    list(connect().network.networks())


if __name__ == "__main__":
    {"identity": identity, "resources": resources, "wake": wake}[sys.argv[1]]()
