"""Configuration files of the OpenStack services, written anew at every start from `settings`."""
import shutil
import uuid

from settings import (AUTH_URL, CONFIGURATION, HOST, LOGS, PASSWORD, PORTS, REGION, STATE, VENV, database_url,
                      message_bus_url)

KEYSTONE_ROOT = AUTH_URL.removesuffix("/v3")
MEMCACHED = f"{HOST}:{PORTS['memcached']}"


def _render(sections):
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for key, value in options.items():
            # A list is an option given several times: how oslo.config spells a multi-valued one.
            lines += [f"{key} = {item}" for item in (value if isinstance(value, list) else [value])]
    return "\n".join(lines) + "\n"


def write_file(path, sections):
    """Writes one file in the syntax of oslo.config."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_render(sections))


def _account(user):
    return {"auth_type": "password", "auth_url": KEYSTONE_ROOT, "username": user, "password": PASSWORD,
            "project_name": "service", "user_domain_name": "Default", "project_domain_name": "Default",
            "region_name": REGION}


def token_middleware(user):
    """`[keystone_authtoken]` of a service."""
    return {"www_authenticate_uri": KEYSTONE_ROOT, "memcached_servers": MEMCACHED,
            "service_token_roles_required": "true", **_account(user)}


def _keystone():
    directory = CONFIGURATION / "keystone"
    write_file(directory / "keystone.conf", {
        "DEFAULT": {"log_file": LOGS / "keystone.log"},
        "database": {"connection": database_url("keystone")},
        "token": {"provider": "fernet", "expiration": 43200},
        "fernet_tokens": {"key_repository": directory / "fernet-keys"},
        "fernet_receipts": {"key_repository": directory / "fernet-keys"},
        "credential": {"key_repository": directory / "credential-keys"},
        # The default cost of bcrypt is a visible part of every login on two cores.
        "identity": {"password_hash_rounds": 4},
        "cache": {"enabled": "true", "backend": "dogpile.cache.pymemcache", "memcache_servers": MEMCACHED},
    })


def _placement():
    write_file(CONFIGURATION / "placement" / "placement.conf", {
        "DEFAULT": {"log_file": LOGS / "placement.log"},
        "api": {"auth_strategy": "keystone"},
        "placement_database": {"connection": database_url("placement"), "sync_on_startup": "false"},
        "keystone_authtoken": token_middleware("placement"),
    })


def _glance():
    store = STATE / "glance"
    for part in ("images", "staging", "tasks"):
        (store / part).mkdir(parents=True, exist_ok=True)
    write_file(CONFIGURATION / "glance" / "glance-api.conf", {
        "DEFAULT": {"log_file": LOGS / "glance.log", "enabled_backends": "disk:file", "workers": 1},
        "database": {"connection": database_url("glance")},
        "glance_store": {"default_backend": "disk"},
        "disk": {"filesystem_store_datadir": store / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": store / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": store / "tasks"},
        "paste_deploy": {"flavor": "keystone", "config_file": VENV / "etc/glance/glance-api-paste.ini"},
        "keystone_authtoken": token_middleware("glance"),
    })


def _neutron():
    directory = CONFIGURATION / "neutron"
    write_file(directory / "neutron.conf", {
        "DEFAULT": {
            "log_file": LOGS / "neutron.log", "state_path": STATE / "neutron",
            "api_paste_config": VENV / "etc/neutron/api-paste.ini", "transport_url": message_bus_url(),
            "core_plugin": "ml2", "service_plugins": "router", "api_workers": 1, "rpc_workers": 0,
            "dhcp_agent_notification": "false", "notify_nova_on_port_status_changes": "false",
            "notify_nova_on_port_data_changes": "false"},
        "database": {"connection": database_url("neutron")},
        "oslo_concurrency": {"lock_path": STATE / "locks"},
        "nova": _account("nova"),
        "keystone_authtoken": token_middleware("neutron"),
    })
    write_file(directory / "ml2_conf.ini", {
        "ml2": {"type_drivers": "local,flat", "tenant_network_types": "local", "mechanism_drivers": "logger"},
        "ml2_type_flat": {"flat_networks": "public"},
    })


def _nova(computes):
    directory = CONFIGURATION / "nova"
    write_file(directory / "nova.conf", {
        "DEFAULT": {
            "state_path": STATE / "nova", "my_ip": HOST, "transport_url": message_bus_url(),
            "compute_driver": "berth_test_bed.StableFakeDriver", "reserved_host_memory_mb": 0,
            "vif_plugging_is_fatal": "false", "vif_plugging_timeout": 0, "report_interval": 10,
            # A compute whose first word with Placement fails tries again soon, not after a minute.
            "update_resources_interval": 5,
            "service_down_time": 60, "periodic_fuzzy_delay": 0, "osapi_compute_workers": 1, "max_local_block_devices": 3},
        "api": {"auth_strategy": "keystone"},
        "oslo_concurrency": {"lock_path": STATE / "locks"},
        "conductor": {"workers": 1},
        # The scheduler itself maps new compute hosts, which saves a run of nova-manage.
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 3},
        "quota": {"instances": -1, "cores": -1, "ram": -1, "server_groups": -1, "server_group_members": -1},
        "filter_scheduler": {
            "available_filters": ["nova.scheduler.filters.all_filters",
                                  "blazarnova.scheduler.filters.blazar_filter.BlazarFilter"],
            "enabled_filters": "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
                               "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter,SameHostFilter,"
                               "DifferentHostFilter,AggregateInstanceExtraSpecsFilter,BlazarFilter"},
        "glance": {"endpoint_override": f"http://{HOST}:{PORTS['glance']}"},
        "placement": _account("placement"),
        "neutron": {**_account("neutron"), "service_metadata_proxy": "false"},
        "service_user": {"send_service_user_token": "true", **_account("nova")},
        "notifications": {"notification_format": "unversioned"},
        "keystone_authtoken": token_middleware("nova"),
    })
    # Apart from nova.conf because nova-compute refuses to start with a database section.
    write_file(directory / "database.conf", {
        "api_database": {"connection": database_url("nova_api")},
        "database": {"connection": database_url("nova")},
    })
    # nova-api takes the first file of its list as the paste file and looks for it beside nova.conf.
    shutil.copy(VENV / "etc/nova/api-paste.ini", directory / "api-paste.ini")
    for host in computes:
        state = STATE / host
        state.mkdir(parents=True, exist_ok=True)
        # Nova reads this file as the identity of the node, so a host keeps it over restarts and fresh databases.
        (state / "compute_id").write_text(str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{host}.berth.test")))
        write_file(CONFIGURATION / host / "compute.conf", {
            "DEFAULT": {"host": host, "state_path": state, "log_file": LOGS / f"nova-{host}.log"}})


def write(computes):
    """Writes the files of all services."""
    _keystone()
    _placement()
    _glance()
    _neutron()
    _nova(computes)


# What uwsgi serves: module, worker processes, threads of each, and the variables that name the configuration.
WEB_SERVICES = {
    "keystone": ("keystone.wsgi.api", 2, 4, {"OS_KEYSTONE_CONFIG_DIR": CONFIGURATION / "keystone",
                                             "OS_KEYSTONE_CONFIG_FILES": "keystone.conf"}),
    "placement": ("placement.wsgi.api", 1, 4, {"OS_PLACEMENT_CONFIG_DIR": CONFIGURATION / "placement"}),
    "nova": ("nova.wsgi.osapi_compute", 1, 8, {
        "OS_NOVA_CONFIG_DIR": CONFIGURATION / "nova",
        "OS_NOVA_CONFIG_FILES": "api-paste.ini;nova.conf;database.conf"}),
    "glance": ("glance.wsgi.api", 1, 4, {"OS_GLANCE_CONFIG_DIR": CONFIGURATION / "glance"}),
    "neutron": ("neutron.wsgi.api", 1, 4, {"OS_NEUTRON_CONFIG_DIR": CONFIGURATION / "neutron",
                                           "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2_conf.ini"}),
}


def uwsgi_command(port, module, workers, threads):
    """uwsgi serving one WSGI module with its own connections closed after each answer, as it requires."""
    return [VENV / "bin/uwsgi", "--http-socket", f"{HOST}:{port}", "--module", f"{module}:application",
            "--virtualenv", VENV, "--master", "--workers", workers, "--threads", threads, "--enable-threads",
            "--lazy-apps", "--need-app", "--die-on-term", "--worker-reload-mercy", 3, "--buffer-size", 65535,
            "--listen", 100, "--add-header", "Connection: close", "--disable-logging"]
