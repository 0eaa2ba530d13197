"""Starts and stops upstream Blazar on the test bed: `blazar-up`, `blazar-down`.

The peer that Berth is compared with: its API under uwsgi and its manager, against the same Keystone, Nova,
Placement and MariaDB, with a database of its own.
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "dev" / "openstack"))
# pylint: disable=wrong-import-position
import bed
import configuration
import population
import processes
import settings
from settings import CONFIGURATION, HOST, LOGS, PASSWORD, PORTS, PROGRAMS, STATE

URL = f"http://{HOST}:{PORTS['upstream']}/v1"


def write_configuration():
    """`blazar.conf`, every plugin enabled as shipped."""
    configuration.write_file(CONFIGURATION / "blazar" / "blazar.conf", {
        "DEFAULT": {
            "host": HOST, "port": PORTS["upstream"], "log_dir": LOGS,
            "transport_url": configuration.message_bus_url(), "os_auth_version": "v3", "os_auth_protocol": "http",
            "os_auth_host": HOST, "os_auth_port": PORTS["keystone"], "os_auth_prefix": "",
            "os_admin_username": "blazar", "os_admin_password": PASSWORD, "os_admin_project_name": "service",
            "os_admin_user_domain_name": "Default", "os_admin_project_domain_name": "Default",
            "identity_service": "identity", "os_region_name": settings.REGION, "endpoint_type": "public"},
        "manager": {"plugins": "physical.host.plugin,virtual.instance.plugin,flavor.instance.plugin,"
                               "virtual.floatingip.plugin"},
        "nova": {"aggregate_freepool_name": "freepool", "endpoint_type": "public"},
        "neutron": {"endpoint_type": "public"},
        "placement": {"endpoint_type": "public"},
        "database": {"connection": f"mysql+pymysql://blazar:{PASSWORD}@{HOST}:{PORTS['mariadb']}/blazar?charset=utf8"},
        "oslo_concurrency": {"lock_path": STATE / "locks"},
        "keystone_authtoken": configuration.token_middleware("blazar"),
    })


def up():
    """Starts both processes and makes the catalog name them."""
    write_configuration()
    conf = ["--config-file", CONFIGURATION / "blazar" / "blazar.conf"]
    bed.run("schemas-blazar", PROGRAMS / "blazar-db-manage", *conf, "upgrade", "head")
    # Its console script serves in a thread that ends with the program, so the API has to run under uwsgi.
    processes.start("upstream-api", configuration.uwsgi_command(PORTS["upstream"], "blazar.wsgi.api", 1, 8),
                    {"OS_BLAZAR_CONFIG_DIR": str(CONFIGURATION / "blazar")})
    processes.start("upstream-manager", [PROGRAMS / "blazar-manager", *conf])
    population.point_reservation_at(URL)
    processes.wait("upstream-api", lambda: processes.answers(URL))
    session = population.connect().session
    # The manager has no port: it is there once a list comes back through it.
    processes.wait("upstream-manager", lambda: session.get(f"{URL}/leases", raise_exc=False).status_code == 200)
    bed.say(f"upstream Blazar on {URL}")


def down():
    """Stops both and gives the catalog entry back to Berth."""
    for name in ("upstream-api", "upstream-manager"):
        processes.stop(name, patience=5)
    if processes.pid_of("keystone"):
        population.point_reservation_at(settings.RESERVATION_URL)


if __name__ == "__main__":
    os.environ.update(PYTHONWARNINGS="ignore")
    try:
        {"up": up, "down": down}[sys.argv[1]]()
    except processes.Failed as error:
        sys.exit(f"benches/upstream: {error}")
