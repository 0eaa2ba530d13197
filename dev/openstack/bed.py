"""Brings the test bed up and down: `python bed.py up [--keep]`, `python bed.py down [--wipe]`.

Every `up` lays the databases anew from a snapshot taken once after the schemas were made, so nothing that an
earlier run left behind can reach the next one, and only the first run pays for the schemas.
"""
import concurrent.futures
import glob
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

import configuration
import processes
import settings
from settings import CONFIGURATION, HOST, LOGS, PORTS, PROGRAMS, SNAPSHOT, STATE, database_url

HERE = pathlib.Path(__file__).resolve().parent
STARTED = float(os.environ.get("BERTH_OPENSTACK_STARTED") or time.time())
# The port that Berth (or upstream) will take is not the bed's to occupy.
OWN_PORTS = {name: port for name, port in PORTS.items() if name not in ("reservation", "upstream")}
DATABASES = ("keystone", "placement", "glance", "neutron", "nova_api", "nova", "nova_cell0", "blazar", "berth")


def say(text):
    """One progress line with the seconds since the command was given."""
    print(f"[{time.time() - STARTED:5.0f} s] {text}", flush=True)


def run(log, *command, environment=None):
    """Runs a command to its end, output to a log; fails with the end of that log."""
    path = LOGS / f"{log}.out"
    with open(path, "ab") as output:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                              stderr=output, env={**os.environ, **(environment or {})}, check=False)
    if done.returncode:
        tail = "\n".join(path.read_text(errors="replace").splitlines()[-15:])
        raise processes.Failed(f"{command[0]} {' '.join(map(str, command[1:]))} failed; see {path}\n{tail}")


def sql(statements):
    """Runs SQL as the database's administrator; returns the output without headings."""
    done = subprocess.run(["mariadb", "--no-defaults", "-uroot", "-S", str(settings.SOCKET), "-N", "-B"],
                          input=statements, text=True, capture_output=True, check=False)
    if done.returncode:
        raise processes.Failed(f"MariaDB refused a statement: {done.stderr.strip()}")
    return done.stdout.strip()


def start_mariadb():
    processes.start("mariadb", [
        "mariadbd", "--no-defaults", "--user=root", f"--datadir={STATE / 'mariadb'}", f"--socket={settings.SOCKET}",
        f"--bind-address={HOST}", f"--port={PORTS['mariadb']}", "--skip-name-resolve", "--max-connections=600",
        "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--innodb-buffer-pool-size=256M",
        "--character-set-server=utf8mb3", f"--log-error={LOGS / 'mariadb.log'}"])
    processes.wait("mariadb", lambda: processes.listens(PORTS["mariadb"]))


def start_memcached():
    processes.start("memcached", ["memcached", "-u", "root", "-l", HOST, "-p", PORTS["memcached"], "-m", 64])
    processes.wait("memcached", lambda: processes.listens(PORTS["memcached"]))


def start_broker():
    home = STATE / "rabbitmq"
    home.mkdir(parents=True, exist_ok=True)
    # Started here, or the broker forks one that outlives it and that no record names.
    processes.start("epmd", ["epmd", "-address", HOST, "-port", PORTS["epmd"]])
    # The script itself, not its wrapper in /usr/sbin, which changes to another user.
    server = sorted(glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))[-1]
    processes.start("rabbitmq", [server], {
        "HOME": str(home), "RABBITMQ_NODENAME": f"berth{PORTS['rabbitmq']}@localhost",
        "ERL_EPMD_PORT": str(PORTS["epmd"]), "ERL_EPMD_ADDRESS": HOST, "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(PORTS["rabbitmq"]), "RABBITMQ_DIST_PORT": str(PORTS["rabbitmq-distribution"]),
        "RABBITMQ_MNESIA_BASE": str(home), "RABBITMQ_LOG_BASE": str(LOGS),
        "RABBITMQ_CONFIG_FILE": str(home / "none"), "RABBITMQ_CONF_ENV_FILE": str(home / "none.env"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        # One scheduler that does not spin: an idle broker must leave the cores to the others.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none "
                                               "-kernel inet_dist_use_interface {127,0,0,1}"})


def start_web(name):
    """Starts one uwsgi service, without waiting for it."""
    module, workers, threads, environment = configuration.WEB_SERVICES[name]
    processes.start(name, configuration.uwsgi_command(PORTS[name], module, workers, threads),
                    {key: str(value) for key, value in environment.items()})


def wait_web(name, path="/"):
    """Waits until a uwsgi service answers."""
    processes.wait(name, lambda: processes.answers(f"http://{HOST}:{PORTS[name]}{path}"))


def nova_files():
    directory = CONFIGURATION / "nova"
    return ["--config-file", directory / "nova.conf", "--config-file", directory / "database.conf"]


def _small_schemas():
    conf = ["--config-file", CONFIGURATION / "keystone/keystone.conf"]
    keystone = [PROGRAMS / "keystone-manage", *conf]
    for keys in ("fernet-keys", "credential-keys"):
        (CONFIGURATION / "keystone" / keys).mkdir(mode=0o700, exist_ok=True)
    run("schemas-keystone", *keystone, "db_sync")
    for command in ("fernet_setup", "credential_setup"):
        run("schemas-keystone", *keystone, command, "--keystone-user", "root", "--keystone-group", "root")
    urls = [word for kind in ("public", "internal", "admin") for word in (f"--bootstrap-{kind}-url", settings.AUTH_URL)]
    run("schemas-keystone", *keystone, "bootstrap", "--bootstrap-password", settings.PASSWORD,
        "--bootstrap-region-id", settings.REGION, "--bootstrap-service-name", "keystone", *urls)
    run("schemas-placement", PROGRAMS / "placement-manage", "--config-file",
        CONFIGURATION / "placement/placement.conf", "db", "sync")
    run("schemas-glance", PROGRAMS / "glance-manage", "--config-file", CONFIGURATION / "glance/glance-api.conf",
        "db_sync")
    run("schemas-neutron", PROGRAMS / "neutron-db-manage", "--config-file", CONFIGURATION / "neutron/neutron.conf",
        "--config-file", CONFIGURATION / "neutron/ml2_conf.ini", "upgrade", "heads")


def _nova_schemas():
    # The order matters: `db sync` fills cell0 only where a mapping names it.
    nova = [PROGRAMS / "nova-manage", *nova_files()]
    run("schemas-nova", *nova, "api_db", "sync")
    run("schemas-nova", *nova, "cell_v2", "map_cell0", "--database_connection", database_url("nova_cell0"))
    run("schemas-nova", *nova, "db", "sync")
    run("schemas-nova", *nova, "cell_v2", "create_cell", "--name", "cell1")


def snapshot_key():
    """What the content of the snapshot depends on."""
    sources = "".join((HERE / name).read_text() for name in ("requirements.txt", "population.py", "settings.py"))
    return hashlib.sha256(f"{sources}{settings.PORT_BASE}{DATABASES}".encode()).hexdigest()


def make_snapshot():
    """Databases with all schemas, the accounts and the catalog, as a directory to copy.

    The catalog is in it because Nova's scheduler, when it starts beside an empty one, never looks again.
    """
    say("schemas (once; later runs copy them)")
    shutil.rmtree(SNAPSHOT, ignore_errors=True)
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    configuration.write(settings.computes())
    run("mariadb-install", "mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={STATE / 'mariadb'}",
        "--auth-root-authentication-method=normal", "--skip-test-db")
    start_mariadb()
    start_memcached()  # keystone-manage uses the cache as the service does
    sql("".join(f"CREATE DATABASE {name} CHARACTER SET utf8mb3;" for name in DATABASES if name != "berth")
        + "CREATE DATABASE berth CHARACTER SET utf8mb4;"
        + "CREATE USER IF NOT EXISTS root@127.0.0.1; GRANT ALL ON *.* TO root@127.0.0.1 WITH GRANT OPTION;"
        + "".join(f"CREATE USER {name}@127.0.0.1 IDENTIFIED BY '{settings.PASSWORD}';"
                  f"GRANT ALL ON {name}.* TO {name}@127.0.0.1;" for name in ("blazar", "berth")))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for chain in [pool.submit(_small_schemas), pool.submit(_nova_schemas)]:
            chain.result()
    say("accounts and catalog")
    start_web("keystone")
    wait_web("keystone", "/v3")
    populate("identity")
    for name in ("keystone", "memcached"):
        processes.stop(name)
    processes.stop("mariadb", patience=60)
    SNAPSHOT.mkdir()
    shutil.move(STATE / "mariadb", SNAPSHOT / "mariadb")
    (SNAPSHOT / "key").write_text(snapshot_key())


def lay_state():
    """Throws away what the last run left and puts the snapshot in its place."""
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(SNAPSHOT / "mariadb"), str(STATE / "mariadb")], check=True)


def start_nova_daemon(name):
    """Starts the conductor or the scheduler."""
    processes.start(name, [PROGRAMS / name, *nova_files(), "--log-file", LOGS / f"{name}.log"])


def start_compute(host):
    """Starts one fake compute host."""
    processes.start(host, [PROGRAMS / "nova-compute", "--config-file", CONFIGURATION / "nova/nova.conf",
                           "--config-file", CONFIGURATION / host / "compute.conf"])


def populate(what):
    run("population", PROGRAMS / "python", HERE / "population.py", what)


def everything():
    """Names of all processes of the bed in the order of their start."""
    return ["mariadb", "epmd", "rabbitmq", "memcached", "keystone", "placement", "nova-conductor", "nova-scheduler",
            "glance", "neutron", "nova", *settings.computes()]


def install_driver():
    """Puts our compute driver where Nova finds it."""
    site = next((settings.VENV / "lib").glob("python3.*/site-packages"))
    shutil.copy(HERE / "nova_fake_driver.py", site / "nova/virt/berth_test_bed.py")


def write_openrc():
    """A file to source in a shell."""
    lines = [f"export {key}={value}" for key, value in settings.credentials("admin", "admin").items()]
    (settings.DIRECTORY / "openrc").write_text("\n".join([*lines, f'export PATH={PROGRAMS}:"$PATH"', ""]))


def up(keep):
    """Brings everything up; with `keep` on the state the last run left."""
    if all(processes.pid_of(name) for name in everything()):
        say("already up (dev/openstack/down first for a fresh cloud)")
        return
    down(wipe=False)
    processes.require_free(OWN_PORTS)
    for directory in (LOGS, CONFIGURATION):
        directory.mkdir(parents=True, exist_ok=True)
    install_driver()
    key = SNAPSHOT / "key"
    if not key.exists() or key.read_text() != snapshot_key():
        make_snapshot()
    fresh = not (keep and (STATE / "mariadb").exists())
    if fresh:
        lay_state()
    configuration.write(settings.computes())
    write_openrc()
    say("database, broker, cache")
    start_broker()
    start_memcached()
    start_mariadb()
    say("Keystone, Placement")
    start_web("keystone")
    start_web("placement")
    # Rather than later: a compute host that finds no conductor waits 10 s before it asks again.
    processes.wait("rabbitmq", lambda: processes.listens(PORTS["rabbitmq"]))
    start_nova_daemon("nova-conductor")
    wait_web("keystone", "/v3")
    wait_web("placement")
    start_nova_daemon("nova-scheduler")
    say(f"Nova with {len(settings.computes())} compute hosts, Glance, Neutron")
    for host in settings.computes():
        start_compute(host)
    for name in ("nova", "glance", "neutron"):
        start_web(name)
    for name in ("glance", "neutron", "nova"):
        wait_web(name)
    say("flavors, image, network, free pool")
    populate("resources" if fresh else "wake")
    say("compute hosts")
    wanted = len(settings.computes())
    processes.wait("nova-scheduler", lambda: int(sql("SELECT COUNT(*) FROM nova_api.host_mappings")) >= wanted)
    # A compute can be refused at first, while Keystone's cache does not know its roles yet.
    processes.wait("nova-scheduler", lambda: int(sql("SELECT COUNT(*) FROM placement.resource_providers")) >= wanted)
    say(f"up; credentials in {settings.DIRECTORY / 'openrc'}")


def down(wipe):
    """Stops what is recorded: clients of the database and the broker first."""
    names = [name for name in processes.recorded()]
    last = [name for name in ("rabbitmq", "epmd", "memcached", "mariadb") if name in names]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        # A fake compute has nothing to bring to an end, and Nova's daemons take long about it.
        list(pool.map(lambda name: processes.stop(name, patience=1 if name.startswith(("compute", "nova-")) else 10),
                      [name for name in names if name not in last]))
    for name in last:
        processes.stop(name, patience=60 if name == "mariadb" else 15)
    if wipe:
        for directory in (STATE, SNAPSHOT, CONFIGURATION, LOGS, settings.RECORDS):
            shutil.rmtree(directory, ignore_errors=True)


def main():
    """Entry."""
    os.environ.update(PYTHONWARNINGS="ignore", no_proxy=f"{HOST},localhost", NO_PROXY=f"{HOST},localhost")
    try:
        if sys.argv[1] == "up":
            up(keep="--keep" in sys.argv)
        else:
            down(wipe="--wipe" in sys.argv)
            say("down")
    except processes.Failed as error:
        down(wipe=False)
        sys.exit(f"dev/openstack: {error}")


if __name__ == "__main__":
    main()
