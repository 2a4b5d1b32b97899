"""The source's server is lost and a replica takes over: drover goes on there, where that has all that drover has had."""
import pytest

from pair_load import Load, prepare
from pairs import ALL, PairDatabases, PairMove, ended
from servers import wait_for
from sides import KINDS

PAIRS = [("mysql", "postgresql"), ("mariadb", "mysql"), ("mysql", "mariadb")]
FEW = PAIRS[:2] if ALL else PAIRS[1:2]
REPLICATE = {
    "mysql": ["change replication source to source_host = '127.0.0.1', source_port = {port}, source_user = 'root',"
              " source_password = '', source_auto_position = 1, get_source_public_key = 1", "start replica"],
    "mariadb": ["change master to master_host = '127.0.0.1', master_port = {port}, master_user = 'root',"
                " master_password = '', master_use_gtid = slave_pos", "start slave"],
}
STOP = {"mysql": "stop replica", "mariadb": "stop slave"}
FORGET = {"mysql": "reset replica all", "mariadb": "reset slave all"}
EXECUTED = {"mysql": "select @@global.gtid_executed", "mariadb": "select @@global.gtid_binlog_pos"}
REACHED = {"mysql": "select wait_for_executed_gtid_set(%s, 60)", "mariadb": "select master_gtid_wait(%s, 60)"}
BULK = ["create table bulk (id int auto_increment primary key, version int not null default 0, filling varchar(1000))",
        "insert into bulk (filling) values (repeat('x', 1000))"] + \
    ["insert into bulk (filling) select filling from bulk"] * 16


class Pair:
    """A source with a replica of it, and drover from the source to a target."""

    def __init__(self, folder, source, target):
        self.sides, self.move = [], None
        self.engine = source
        try:
            self.source, self.target = self._side(source, "source"), self._side(target, "target")
            self.replica = self._side(source, "replica", server_id="77", log_slave_updates="ON")
            self.replicate(self.replica)
            self.databases = PairDatabases(self.source, self.target)
            with self.databases.source() as session:
                prepare(session)
            self.move = PairMove(folder, self.databases, extra="limits: {copy_workers: 1}")
        except BaseException:
            self.close()
            raise

    def _side(self, engine, name, **settings):
        self.sides.append(KINDS[engine](name, **settings))
        return self.sides[-1]

    def replicate(self, side):
        for statement in REPLICATE[self.engine]:
            side.run(statement.format(port=self.source.server.port))

    def wait_replicated(self):
        with self.source.connect() as source, self.replica.connect() as replica:
            reached = replica.value(REACHED[self.engine], source.value(EXECUTED[self.engine]))
            assert int(reached) == 0, "the replica stays behind"

    def fail_over(self):
        """The replica becomes the source: of the test, and in the migration file."""
        self.source.kill()
        self.replica.run(STOP[self.engine])
        self.replica.run(FORGET[self.engine])
        self.databases.source_server = self.replica
        self.move.rewrite()

    def server(self):
        """What the target knows of the server: identity and era."""
        with self.databases.target() as session:
            (name, era), = session.query("select source_server, source_era from drover.migration")
        return name, int(era)

    def close(self):
        if self.move:
            self.move.kill_all()
        for side in self.sides:
            side.close()


@pytest.fixture
def failing(tmp_path):
    made = []

    def make(source, target):
        made.append(Pair(str(tmp_path), source, target))
        return made[-1]
    yield make
    for pair in made:
        pair.close()


def kill(move):
    move.processes[-1].kill()
    move.processes[-1].wait()


def leave(load):
    """Ends a load whose server is gone, or is about to be."""
    load.ending.set()
    for thread in load.threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not load.failures, load.failures


def finish(pair, load):
    """Equal at the end, by an independent reader and by drover."""
    wait_for(lambda: pair.move.check_alive() or pair.server()[1] == 1, "the new server is accepted", 60)
    pair.move.wait_streaming()
    assert load.stop() > 0
    pair.move.wait_caught_up()
    pair.move.wait_refetched()
    assert pair.databases.assert_equal() > 1000
    pair.move.verify()
    pair.move.check_accounts()
    pair.move.stop()


@pytest.mark.parametrize("source, target", PAIRS if ALL else PAIRS[:2])
def test_a_migration_goes_on_with_the_promoted_replica(failing, source, target):
    pair = failing(source, target)
    load = Load(pair.source, pair.databases.name).start()
    pair.move.start()
    pair.move.wait_streaming()
    kill(pair.move)
    pair.wait_replicated()
    pair.source.kill()
    leave(load)
    pair.fail_over()
    assert pair.server()[1] == 0
    early = pair.move.call("apply")  # it cannot tell whether the new server has what the bus has
    assert early.returncode == 3 and "start `drover run`" in early.stderr, early.stderr
    load = Load(pair.replica, pair.databases.name, seed=2).start()
    pair.move.start()
    finish(pair, load)
    name, era = pair.server()
    assert era == 1 and name
    assert pair.move.status()["apply"]["position"].startswith("1:")
    pair.move.drop()


@pytest.mark.parametrize("source, target", PAIRS if ALL else FEW)
def test_a_copy_goes_on_with_the_promoted_replica(failing, source, target):
    pair = failing(source, target)
    with pair.databases.source() as session:
        for statement in BULK:
            session.execute(statement)
    load = Load(pair.source, pair.databases.name).start()
    pair.move.start()
    states = "select count(case when state = 'done' then 1 end), count(case when state = 'todo' then 1 end) from drover.chunk"

    def midway():
        pair.move.check_alive()
        done = pair.move.call("pause")  # its exit status says whether there is a migration by now
        if done.returncode != 0:
            return False
        with pair.databases.target() as session:
            ready, left = session.query(states)[0]
        if int(ready) == 0:
            pair.move.call("resume")
            return False
        return int(left) > 0
    wait_for(midway, "some chunks are copied, and not all", 60)
    kill(pair.move)
    pair.wait_replicated()
    pair.source.kill()
    leave(load)
    pair.fail_over()
    with pair.databases.source() as session:
        session.execute("update bulk set version = version + 1 where id % 10 = 0")
    load = Load(pair.replica, pair.databases.name, seed=2).start()
    assert pair.move.call("resume").returncode == 0
    pair.move.start()
    finish(pair, load)
    assert pair.server()[1] == 1
    with pair.databases.target() as session:
        assert int(session.value("select count(*) from drover.chunk where high not like '1:%%'")) == 0


@pytest.mark.parametrize("source, target", FEW)
def test_a_replica_at_the_same_address_is_noticed(failing, source, target):
    """drover that runs ends, so that whoever starts it again has the new server checked."""
    pair = failing(source, target)
    pair.move.start()
    pair.move.wait_streaming()
    pair.wait_replicated()
    pair.source.kill()
    pair.replica.run(STOP[source])
    pair.replica.run(FORGET[source])
    pair.replica.server.stop()
    pair.replica.server.port = pair.source.server.port
    pair.replica.start()
    pair.databases.source_server = pair.replica
    assert ended(pair.move, 60)[0] == 3
    assert "this is now another server" in pair.move.log()
    with pair.databases.source() as session:
        session.execute("update item set counter = counter + 1")
    pair.move.start()
    wait_for(lambda: pair.move.check_alive() or pair.server()[1] == 1, "the new server is accepted", 60)
    pair.move.wait_caught_up()
    assert pair.databases.assert_equal() > 1000
    pair.move.stop()


@pytest.mark.parametrize("source, target", PAIRS if ALL else FEW)
def test_a_replica_that_lacks_transactions_is_refused(failing, source, target):
    pair = failing(source, target)
    pair.move.start()
    pair.move.wait_streaming()
    pair.wait_replicated()
    pair.replica.run(STOP[source])
    with pair.databases.source() as session:
        session.execute("update item set counter = counter + 1")
        last = session.value(EXECUTED[source]).replace("\n", "").split(",")[0]
    pair.move.wait_caught_up()
    kill(pair.move)
    pair.fail_over()
    with pair.databases.source() as session:
        for _ in range(5):  # the new server's own numbers pass those that are lost
            session.execute("update item set counter = counter + 7")
    pair.move.start()
    status, message = ended(pair.move)
    assert status == 4, message
    lost = ":" + last.replace("-", ":").split(":")[-1] if source == "mysql" else last
    assert "lacks transactions" in pair.move.log() and lost in pair.move.log(), message
    assert pair.server()[1] == 0


@pytest.mark.parametrize("source, target", FEW)
def test_rows_that_were_read_and_lost_are_refused(failing, source, target):
    """A chunk was copied on the old server, and what it saw there is not on the new one."""
    pair = failing(source, target)
    pair.move.start()
    pair.move.wait_streaming()
    kill(pair.move)
    pair.wait_replicated()
    with pair.databases.source() as session:
        pair.replica.run(STOP[source])
        session.execute("update item set counter = counter + 1")
        seen = session.value(EXECUTED[source])
    with pair.databases.target() as session:
        assert session.execute("update drover.chunk set high = '000999:4', high_resume = %s where table_id = 1", seen) > 0
    pair.fail_over()
    pair.move.start()
    status, message = ended(pair.move)
    assert status == 4 and "rows that the copy has read" in pair.move.log(), message
    assert pair.server()[1] == 0
