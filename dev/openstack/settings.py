"""Where the test bed lives and which ports it takes.

Everything the bed writes is below one directory, everything it serves is on loopback, and every port is one
base plus a fixed offset, so that two beds differ in two environment variables only.
"""
import os
import pathlib

HOST = "127.0.0.1"
REGION = "RegionOne"
PASSWORD = "berth-test-bed"

DIRECTORY = pathlib.Path(
    os.environ.get("BERTH_OPENSTACK_DIR")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "berth" / "openstack")
PORT_BASE = int(os.environ.get("BERTH_OPENSTACK_PORT_BASE", "21000"))

VENV = DIRECTORY / "venv"
PROGRAMS = VENV / "bin"
CONFIGURATION = DIRECTORY / "configuration"
LOGS = DIRECTORY / "logs"
RECORDS = DIRECTORY / "processes"
STATE = DIRECTORY / "state"
SNAPSHOT = DIRECTORY / "snapshot"
SOCKET = STATE / "mariadb.sock"

# The order fixes the offsets: append only.
_SERVICES = ("keystone", "placement", "nova", "glance", "neutron", "reservation", "mariadb", "memcached",
             "rabbitmq", "rabbitmq-distribution", "epmd", "upstream")
PORTS = {name: PORT_BASE + offset for offset, name in enumerate(_SERVICES)}

# Accounts that act for a service: admin and service roles in the project `service`.
SERVICE_USERS = ("nova", "placement", "glance", "neutron", "berth", "blazar")
# Ordinary projects, each with one user of the same name and the member role.
TENANTS = ("demo", "other")

AUTH_URL = f"http://{HOST}:{PORTS['keystone']}/v3"
RESERVATION_URL = f"http://{HOST}:{PORTS['reservation']}/v1"


def computes():
    """Names of the fake compute hosts, `BERTH_OPENSTACK_COMPUTES` of them."""
    return [f"compute-{n}" for n in range(1, int(os.environ.get("BERTH_OPENSTACK_COMPUTES", "3")) + 1)]


def database_url(name):
    """SQLAlchemy URL of a database of the bed."""
    return f"mysql+pymysql://root@{HOST}:{PORTS['mariadb']}/{name}?charset=utf8"


def message_bus_url():
    """oslo.messaging URL of the broker."""
    return f"rabbit://guest:guest@{HOST}:{PORTS['rabbitmq']}/"


def credentials(user, project):
    """The `OS_*` variables with which a client acts as `user` in `project`."""
    return {
        "OS_AUTH_URL": AUTH_URL, "OS_USERNAME": user, "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": project,
        "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default", "OS_REGION_NAME": REGION,
        "OS_IDENTITY_API_VERSION": "3",
    }


def client_environment(user, project):
    """A complete environment for a client program: no proxy, no foreign `OS_*`, the bed's programs first."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    environment.update(credentials(user, project))
    environment.update(no_proxy=f"{HOST},localhost", NO_PROXY=f"{HOST},localhost", PYTHONWARNINGS="ignore",
                       PATH=f"{PROGRAMS}:{os.environ['PATH']}")
    return environment
