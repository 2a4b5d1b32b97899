"""Real MariaDB and MySQL servers for the tests: on free loopback ports, stopped by their pid.

MariaDB is Debian's own package. Oracle's MySQL is only in Debian's sid: it is unpacked once into a
cache folder (deploy/quickstart/mysql_packages.sh) and run through that folder's own dynamic linker.

Everything is logged in row format with full metadata unless settings say otherwise: settings are
server options as keyword arguments (binlog_row_image="MINIMAL"); None leaves an option out.
"""
import os
import shutil
import socket
import subprocess
import tempfile

from servers import free_port, wait_for

PACKAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy", "quickstart", "mysql_packages.sh")

COMMON = {
    "bind_address": "127.0.0.1",
    "log_bin": "binlog",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "innodb_buffer_pool_size": "128M",
    "innodb_flush_log_at_trx_commit": "2",
    "sync_binlog": "0",
    "max_allowed_packet": "128M",
    "character_set_server": "utf8mb4",
    "local_infile": "ON",
    "performance_schema": "OFF",
}


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "drover")


class MysqlServer:
    """What both have in common. All data in `folder`, which close() removes."""

    name = program = None
    server_id = 0
    own = {}

    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix=f"drover-{self.name}-")
        self.data = os.path.join(self.folder, "data")
        self.port = free_port()
        self.settings = {**COMMON, **self.own, "server_id": self.server_id, **settings}
        self.process = None
        try:
            self._prepare()
            self._make_database()
            self.start()
        except BaseException:
            self.close()
            raise

    def _prepare(self):
        """Fetches what is missing on this machine."""

    def _make_database(self):
        raise NotImplementedError

    def _command(self):
        """The program with the options that its place in the file system needs."""
        raise NotImplementedError

    def _environment(self):
        return dict(os.environ)

    def _paths(self):
        """A temporary folder of its own: MariaDB removes at its start what other servers have in theirs."""
        return [f"--datadir={self.data}", f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid",
                f"--log-error={self.folder}/log.err", f"--tmpdir={self.folder}"]

    def _options(self):
        return [f"--{key.replace('_', '-')}={value}" for key, value in self.settings.items() if value is not None]

    def _bootstrap(self, *arguments, sql=None):
        done = subprocess.run([*self._command(), *self._paths(), *arguments], input=sql, text=True,
                              env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} cannot make its database: {done.stdout[-2000:]}{self.log()[-2000:]}")

    def start(self, **settings):
        """Settings given here stay for later starts."""
        self.settings.update(settings)
        self.process = subprocess.Popen(
            [*self._command(), *self._paths(), f"--port={self.port}", *self._options()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=self._environment(), start_new_session=True)
        wait_for(self.ready, f"{self.name} accepts connections")

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} died: {self.log()[-3000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                return len(probe.recv(5)) == 5
        except OSError:
            return False

    def log(self):
        try:
            with open(os.path.join(self.folder, "log.err"), errors="replace") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9: the server is one process."""
        if self.alive():
            self.process.kill()
            self.process.wait()

    def stop(self):
        if not self.alive():
            return
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="", user="root"):
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"


class MariaDB(MysqlServer):
    name = "mariadb"
    server_id = 1006
    own = {"gtid_strict_mode": "ON", "plugin_maturity": "unknown"}

    def _command(self):
        return ["/usr/sbin/mariadbd", "--no-defaults", "--user=root"] if os.geteuid() == 0 else \
            ["/usr/sbin/mariadbd", "--no-defaults"]

    def _make_database(self):
        """The package's own SQL, as mariadb-install-db runs it, without its accounts by socket."""
        os.makedirs(os.path.join(self.data, "mysql"))
        share = "/usr/share/mysql"
        sql = "create database if not exists mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n"
        for name in ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql",
                     "maria_add_gis_sp_bootstrap.sql", "mysql_sys_schema.sql"]:
            with open(os.path.join(share, name)) as text:
                sql += text.read() + "\n"
        sql += ("FLUSH PRIVILEGES;\nCREATE USER IF NOT EXISTS root@'127.0.0.1' IDENTIFIED BY '';\n"
                "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n")
        self._bootstrap("--bootstrap", "--skip-log-bin", "--innodb-buffer-pool-size=64M", "--max-allowed-packet=8M",
                        "--net-buffer-length=16K", sql=sql)


class MySQL(MysqlServer):
    name = "mysql"
    server_id = 9007
    own = {"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "mysqlx": "OFF", "innodb_redo_log_capacity": "64M",
           "binlog_format": None}  # deprecated there: row format is the default

    def __init__(self, **settings):
        self.root = os.path.join(cache_folder(), "mysql-sid")
        super().__init__(**settings)

    def _prepare(self):
        subprocess.run([PACKAGES, "sid", self.root, "mysql-server-core"], check=True)

    def _environment(self):
        libraries = os.path.join(self.root, "usr/lib/x86_64-linux-gnu")
        return {**os.environ, "OPENSSL_CONF": "/dev/null",  # the host's is for another library
                "OPENSSL_MODULES": os.path.join(libraries, "ossl-modules")}

    def _command(self):
        root, user = self.root, ["--user=root"] if os.geteuid() == 0 else []
        libraries = f"{root}/usr/lib/x86_64-linux-gnu"
        server = f"{root}/usr/sbin/mysqld"
        return [f"{libraries}/ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path",
                f"{libraries}:{root}/usr/lib/mysql/private", "--argv0", server, server, "--no-defaults",
                f"--basedir={root}/usr", f"--lc-messages-dir={root}/usr/share/mysql",
                f"--character-sets-dir={root}/usr/share/mysql/charsets", f"--plugin-dir={root}/usr/lib/mysql/plugin",
                "--secure-file-priv=NULL", *user]

    def _make_database(self):
        init = os.path.join(self.folder, "init.sql")
        with open(init, "w") as text:
            text.write("CREATE USER root@'127.0.0.1' IDENTIFIED BY '';\n"
                       "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n")
        self._bootstrap("--initialize-insecure", f"--init-file={init}", "--performance-schema=OFF")
