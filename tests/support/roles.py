"""drover's roles as processes of their own, each with a log of its own."""
import contextlib
import re
import signal
import subprocess

from servers import wait_for


class Role:
    """`drover ROLE` in the background."""

    def __init__(self, move, role, *arguments, prefix=()):
        self.move = move
        self.role = role
        self.path = f"{move.folder}/{move.name}-{role}-{len(move.processes)}.log"
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen([*prefix, *move.command(role, *arguments)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        # at the front: what drover.check_alive looks at is the last one
        move.processes.insert(0, self.process)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.path, errors="replace") as text:
            return text.read()

    def alive(self):
        return self.process.poll() is None

    def check_alive(self):
        assert self.alive(), f"{self.role} ended with {self.process.returncode}:\n{self.log()[-4000:]}"

    def wait_log(self, pattern, limit=60):
        def said():
            found = re.search(pattern, self.log())
            if not found:
                self.check_alive()
            return found
        return wait_for(said, f"{self.role} says {pattern!r}", limit, 0.05)

    def ends(self, *statuses, limit=120):
        """Waits for its end."""
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.role} has not ended within {limit} s:\n{self.log()[-4000:]}") from None
        assert status in statuses, f"{self.role} ended with {status}:\n{self.log()[-4000:]}"
        found = re.search(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:", self.log())
        assert not found, self.log()[found.start():found.start() + 6000]
        return status

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.ends(0)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def wake(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()


def one_row(session, sql, *values):
    row = session.execute(sql, values).fetchone()
    return row and row[0]


def wait_phase(move, *phases, limit=180):
    """The phase as the target has it, whoever works on it."""
    with move.databases.target() as session:
        def reached():
            if one_row(session, "select to_regclass('drover.migration')") is None:
                return None
            return one_row(session, "select phase from drover.migration where name = %s", move.name) in phases
        wait_for(reached, f"phase {phases}", limit, 0.05)


def wait_started(move, limit=60):
    """Until the migration has its first position: copies and applies may begin."""
    wait_phase(move, "copying", "catching_up", "indexing", "streaming", limit=limit)


def wait_roles(move, limit=60, **counts):
    """wait_roles(move, copy=2): until so many processes have the role."""
    def there():
        roles = [role["role"] for role in move.status()["roles"]]
        return all(roles.count(role) == count for role, count in counts.items())
    wait_for(there, f"roles {counts}", limit, 0.05)


def wait_caught_up(move, *alive, limit=180):
    """Until apply has passed what the source's log holds now."""
    with move.databases.source() as session:
        head = one_row(session, "select pg_current_wal_insert_lsn()")
    with move.databases.target() as session:
        def passed():
            for role in alive:
                role.check_alive()
            return one_row(session, "select position::pg_lsn >= %s::pg_lsn from drover.progress where migration = %s"
                           " and worker = 'apply'", head, move.name)
        wait_for(passed, "apply has passed the source's log", limit, 0.05)


def small_tables(databases, n=40, rows=200):
    """A chunk each."""
    with databases.source() as session:
        for i in range(n):
            session.execute(f"create table small_{i} (id int primary key, v text)")
            session.execute(f"insert into small_{i} select g, md5(g::text) from generate_series(1, {rows}) g")


def wait_planned(move, limit=60):
    """Until every table has its chunks in the ledger: while the migration is paused, none is copied."""
    with move.databases.target() as session:
        wait_for(lambda: one_row(session, "select count(*) > 0 and count(*) = count(case when state = 'copying' then 1"
                                 " end) from drover.tables where migration = %s", move.name),
                 "all chunks are planned", limit, 0.05)


def planned_and_paused(move):
    """A capture, and a copy that has planned its chunks and stands still: the migration is paused."""
    capture = Role(move, "capture")
    wait_started(move)
    assert move.call("pause").returncode == 0
    copy = Role(move, "copy")
    wait_planned(move)
    return capture, copy


@contextlib.contextmanager
def held_in_a_chunk(move, table):
    """Resumes a paused migration, and keeps the copy that claims a chunk of this table inside it."""
    with move.databases.source() as lock, move.databases.source() as session:
        lock.execute("begin")
        lock.execute(f"lock table {table} in access exclusive mode")
        assert move.call("resume").returncode == 0
        wait_for(lambda: one_row(session, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and"
                                 " application_name like %s", f"drover {move.name} copy-%"), "a copy is in its chunk", 60)
        yield
        lock.execute("rollback")


def copiers(move):
    """Who has copied: the epochs in the workers' names, and how many chunks each."""
    with move.databases.target() as session:
        return dict(session.execute("select split_part(worker, '-', 2), count(*) from drover.chunk where state = 'done'"
                                    " and migration = %s group by 1", (move.name,)).fetchall())
