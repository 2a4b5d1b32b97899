"""Commits that hang: for the tests of what is decoded before it is visible."""
import threading

from conftest import lsn
from roles import one_row
from servers import wait_for


class Hanging:
    """Commits that are in the log, and decoded, while no SELECT sees them: they wait for
    a standby that does not exist."""

    def __init__(self, databases):
        self.databases = databases
        self.threads = {}
        self.session = databases.source()

    def __enter__(self):
        self._set("alter system set synchronous_standby_names = 'nobody'", "nobody")
        return self

    def __exit__(self, *error):
        self._set("alter system reset synchronous_standby_names", "")
        for thread in self.threads.values():
            thread.join(60)
        self.session.close()

    def _set(self, sql, value):
        self.session.execute(sql)
        self.session.execute("select pg_reload_conf()")
        wait_for(lambda: one_row(self.session, "show synchronous_standby_names") == value, "the setting is there")

    def commit(self, *statements):
        """Returns when all of them hang, with the end of the log."""
        for sql in statements:
            self.threads[sql] = threading.Thread(target=self._run, args=(sql,), daemon=True)
            self.threads[sql].start()
        wait_for(self.all_hang, "the commits hang")
        return one_row(self.session, "select pg_current_wal_insert_lsn()")

    def _run(self, sql):
        with self.databases.source(application_name="hanging") as session:
            session.execute(sql)

    def all_hang(self):
        return one_row(self.session, "select count(*) from pg_stat_activity where application_name = 'hanging' and"
                       " wait_event = 'SyncRep'") == len(self.threads)

    def wait_blocks_slot(self, sql):
        """Until the making of the slot waits for the transaction of this statement."""
        wait_for(lambda: one_row(self.session, "select count(*) from pg_stat_activity h join pg_stat_activity w on"
                                 " h.pid = any (pg_blocking_pids(w.pid)) where h.query = %s and w.application_name ="
                                 " 'drover move snapshot'", sql), f"the slot waits for {sql}")

    def release(self, sql):
        """A commit that is cancelled waits no longer, and is one all the same."""
        self.session.execute("select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'hanging'"
                             " and query = %s", (sql,))
        self.threads.pop(sql).join(60)

    def wait_captured(self, move, head):
        """Until the bus has them; and still they are not visible."""
        wait_for(lambda: lsn(move.status()["capture"]["position"] or "0/0") >= lsn(head), "the bus has the commits")
        assert self.all_hang()
