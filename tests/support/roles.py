"""drover's roles as processes of their own, each with a log of its own."""
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
