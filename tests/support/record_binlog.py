"""Records what the golden files of the binlog tests hold: tests/golden/binlog/*.txt.

usage: record_binlog.py [NAME...]     without a name: all of them

Starts the real servers, makes them log every kind of event and every type at its edges, and writes

    event HEX                       one event as the server sent it
    cell ROW COLUMN null|HEX        what a SELECT says of the row with id ROW of table `edges`

for each. Text is UTF-8 in hex; what the decoder shows as bytes (bit, geometry, vector) is the text
0x... . Needs PyMySQL.
"""
import os
import struct
import sys

import pymysql

from mysql_servers import MariaDB, MySQL

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "binlog")
COM_BINLOG_DUMP = 0x12
TO_END, ANNOTATE = 1, 2

# type, how a SELECT shows it, values (SQL); both servers unless it says so
PLAIN, FLOAT, BYTES, HEX = "concat({}, '')", "concat({} * 1e0, '')", "{}", "concat('0x', lower(hex({})))"
BIT = "concat('0x', lower(lpad(hex({}), {}, '0')))"
TEXT = "convert({} using utf8mb4)"
TYPES = [
    ("tinyint", PLAIN, ["-128", "127", "0"]),
    ("tinyint unsigned", PLAIN, ["0", "255", "128"]),
    ("smallint", PLAIN, ["-32768", "32767", "0"]),
    ("smallint unsigned", PLAIN, ["0", "65535", "32768"]),
    ("mediumint", PLAIN, ["-8388608", "8388607", "0"]),
    ("mediumint unsigned", PLAIN, ["0", "16777215", "8388608"]),
    ("int", PLAIN, ["-2147483648", "2147483647", "0"]),
    ("int unsigned", PLAIN, ["0", "4294967295", "2147483648"]),
    ("bigint", PLAIN, ["-9223372036854775808", "9223372036854775807", "0"]),
    ("bigint unsigned", PLAIN, ["0", "18446744073709551615", "9223372036854775808"]),
    ("decimal(10,3)", PLAIN, ["-9999999.999", "9999999.999", "0.001"]),
    ("decimal(65,30)", PLAIN, ["-" + "9" * 35 + "." + "9" * 30, "9" * 35 + "." + "9" * 30, "-0.000000000000000000000000000001"]),
    ("decimal(18,9)", PLAIN, ["-123456789.000000001", "100000000.1", "0"]),
    ("decimal(5,0)", PLAIN, ["-99999", "10000", "0"]),
    ("decimal(4,4)", PLAIN, ["-0.9999", "0.9999", "0.0001"]),
    ("float", FLOAT, ["-3.402823466e38", "1.17549435e-38", "0.1"]),
    ("double", PLAIN, ["-1.7976931348623157e308", "2.2250738585072014e-308", "0.1"]),
    ("bit(1)", BIT.format("{}", 2), ["b'0'", "b'1'", "b'1'"]),
    ("bit(10)", BIT.format("{}", 4), ["b'1111111111'", "b'1'", "b'1000000000'"]),
    ("bit(64)", BIT.format("{}", 16), ["0xffffffffffffffff", "b'1'", "0x8000000000000001"]),
    ("year", PLAIN, ["1901", "2155", "0"]),
    ("date", PLAIN, ["'1000-01-01'", "'9999-12-31'", "'2024-02-29'"]),
    ("time", PLAIN, ["'-838:59:59'", "'838:59:59'", "'-00:00:01'"]),
    ("time(2)", PLAIN, ["'-00:00:00.01'", "'838:59:58.99'", "'-01:00:00'"]),
    ("time(4)", PLAIN, ["'-00:00:01.0001'", "'00:00:00.9999'", "'-12:34:56.7890'"]),
    ("time(6)", PLAIN, ["'-838:59:58.999999'", "'00:00:00.000001'", "'-00:00:00.000001'"]),
    ("datetime", PLAIN, ["'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'2024-02-29 12:00:00'"]),
    ("datetime(1)", PLAIN, ["'1000-01-01 00:00:00.1'", "'9999-12-31 23:59:59.9'", "'2024-02-29 12:00:00'"]),
    ("datetime(3)", PLAIN, ["'1000-01-01 00:00:00.001'", "'9999-12-31 23:59:59.999'", "'2024-02-29 12:00:00'"]),
    ("datetime(6)", PLAIN, ["'1000-01-01 00:00:00.000001'", "'9999-12-31 23:59:59.499999'", "'2024-02-29 12:00:00'"]),
    ("timestamp null", PLAIN, ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'2024-02-29 12:00:00'"]),
    ("timestamp(6) null", PLAIN, ["'1970-01-01 00:00:01.000001'", "'2038-01-19 03:14:06.999999'", "'2024-02-29 12:00:00'"]),
    ("char(4)", TEXT, ["''", "'\U0001f600\u00e9ab'", "'abcd'"]),
    ("char(255)", TEXT, ["''", "repeat('\U0001f600', 80)", "'x'"]),
    ("varchar(20)", TEXT, ["''", "'\U0001f600 \u20ac'", "'a''b\\\\'"]),
    ("varchar(2000)", TEXT, ["''", "repeat('y', 300)", "'z '"]),
    ("varchar(20) character set latin1", TEXT, ["''", "'\u00e9\u20ac'", "'abc'"]),
    ("varchar(20) character set utf16", TEXT, ["''", "'\U0001f600a'", "'abc'"]),
    ("varchar(20) character set cp1251", TEXT, ["''", "'\u0416'", "'abc'"]),
    ("text", TEXT, ["''", "repeat('\u00e9', 200)", "'x'"]),
    ("tinytext", TEXT, ["''", "'\U0001f600'", "'x'"]),
    ("longtext character set latin1", TEXT, ["''", "'\u00e9'", "'x'"]),
    ("binary(4)", BYTES, ["''", "0x01020000", "0x00000001"]),
    ("binary(255)", BYTES, ["''", "repeat('q', 255)", "0x00"]),
    ("varbinary(20)", BYTES, ["''", "0x000102ff00", "'x'"]),
    ("varbinary(300)", BYTES, ["''", "repeat(0x00, 299)", "'x'"]),
    ("blob", BYTES, ["''", "0x0000ff", "'x'"]),
    ("mediumblob", BYTES, ["''", "0x00", "'x'"]),
    ("enum('a','\u00e9','\u20ac')", TEXT, ["'a'", "'\u00e9'", "'\u20ac'"]),
    ("enum('a','\u00e9') character set latin1", TEXT, ["'a'", "'\u00e9'", "'a'"]),
    ("set('x','y','\u00e9')", TEXT, ["''", "'x,y,\u00e9'", "'\u00e9'"]),
    ("geometry", HEX, ["point(1, 2)", "linestring(point(0, 0), point(1, 1))", "point(-1, -1)"]),
]
BIG_ENUM = ("enum(%s)" % ",".join(f"'v{i}'" for i in range(1, 301)), TEXT, ["'v1'", "'v300'", "'v256'"])
BIG_SET = ("set(%s)" % ",".join(f"'b{i}'" for i in range(1, 65)), TEXT, ["''", "18446744073709551615", "'b64'"])
MYSQL_TYPES = [
    ("json", TEXT, ["'null'", """'{"a": [1, -1, 65536, 18446744073709551615, -9223372036854775808, 1.5, 1e300, true, false, null], "bb": {"": "x\\\\u0001\\\\n\\\\"\\u00e9\\U0001f600"}, "a\\\\\\\\b": []}'""",
                    "json_object('d', cast('2024-02-29' as date), 't', cast('-10:11:12.5' as time(6)), 'dt', cast('2024-02-29 01:02:03.000004' as datetime(6)), 'n', cast('-12.340' as decimal(10,3)), 'b', cast('x' as binary), 'big', repeat('k', 200), 'e', json_object(), 'f', 0.1e0, 'g', -0e0, 'h', 1e15, 'i', 1e16, 'j', 1.5e-10, 'k', 123456789012345678e0)"]),
    ("vector(3)", HEX, ["string_to_vector('[1,2,3]')", "string_to_vector('[0,-1,1e30]')", "string_to_vector('[1.5]')"]),
]
MARIADB_TYPES = [
    ("varchar(2000) compressed", TEXT, ["''", "repeat('ab', 900)", "'short'"]),
    ("text compressed", TEXT, ["''", "repeat('\u00e9', 500)", "'short'"]),
    ("blob compressed", BYTES, ["''", "repeat(0x00, 500)", "'short'"]),
    ("json", TEXT, ["'{}'", "'[1,  2]'", "'\"x\"'"]),
]


class Recorder:
    def __init__(self, server):
        self.server = server
        self.mariadb = isinstance(server, MariaDB)
        self.lines = []
        self.connect()

    def connect(self):
        self.connection = pymysql.connect(host="127.0.0.1", port=self.server.port, user="root", autocommit=True,
                                          charset="utf8mb4")
        self.run("set time_zone = '+00:00'")

    def run(self, *statements):
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def restart(self):
        self.connection.close()
        self.server.stop()
        self.server.start()
        self.connect()

    def again(self):
        """A new session: the old one holds a prepared XA transaction."""
        self.connection.close()
        self.connect()
        self.run("use golden")

    def dump(self, first, flags=TO_END, limit=None):
        """Events from file number `first` on, until the end or `limit` of them."""
        dump = pymysql.connect(host="127.0.0.1", port=self.server.port, user="root")
        with dump.cursor() as cursor:
            cursor.execute("set @source_binlog_checksum='CRC32', @master_binlog_checksum='CRC32', "
                           "@source_heartbeat_period=50000000, @master_heartbeat_period=50000000, "
                           "@mariadb_slave_capability=4")
        dump._execute_command(COM_BINLOG_DUMP, struct.pack("<IHI", 4, flags, 4711) + b"binlog.%06d" % first)
        events = []
        while limit is None or len(events) < limit:
            packet = dump._read_packet()._data
            if packet[0] == 0xfe:
                break
            events.append(packet[1:])
        dump._force_close()
        return events

    def keep(self, events):
        self.lines += [f"event {event.hex()}" for event in events]

    def last_file(self):
        return int(self.run("show binary logs")[-1][0].rsplit(".", 1)[1])

    def heartbeat(self):
        for flags in ([0] if self.mariadb else [0, 2]):  # MySQL: 2 asks for HEARTBEAT_V2
            kinds = (27, 41)
            events = self.dump(self.last_file(), flags, limit=1)
            count = 1
            while events[-1][4] not in kinds:
                count += 1
                events = self.dump(self.last_file(), flags, limit=count)
            self.keep([events[0], events[-1]])

    def types(self, types):
        columns = ", ".join(f"c{i} {kind}" for i, (kind, _, _) in enumerate(types))
        self.run(f"create table edges (id int primary key, {columns})")
        first = self.last_file()
        self.run("flush binary logs")
        for row in range(3):
            values = ", ".join(values[row] for _, _, values in types)
            self.run(f"insert into edges values ({row + 1}, {values})")
        self.run("insert into edges (id) values (4)")
        self.keep(event for event in self.dump(first + 1))
        self.run("set character_set_results = utf8mb4")
        for i, (_, shown, _) in enumerate(types):
            for row, value in self.run(f"select id, {shown.format(f'c{i}')} from edges order by id"):
                self.lines.append(f"cell {row} {i + 1} {self.as_hex(value, shown)}")

    @staticmethod
    def as_hex(value, shown):
        if value is None:
            return "null"
        if not isinstance(value, (bytes, str)):
            value = str(value)
        if isinstance(value, str):
            value = value.encode()
        return value.hex() or "-"

    def save(self, name):
        os.makedirs(GOLDEN, exist_ok=True)
        with open(os.path.join(GOLDEN, name + ".txt"), "w") as out:
            out.write("\n".join(self.lines) + "\n")


COMMON_EVENTS = [
    "insert into t values (1, 'one', 'a', 'x,y', 5), (2, null, null, null, null)",
    "update t set v = 'two' where id = 1",
    "delete from t where id = 2",
    "begin", "insert into t values (3, 'x', 'b', 'x', 1)", "savepoint a",
    "insert into t values (4, 'x', 'b', 'x', 1)", "rollback to a", "commit", "insert into m values (1)",
    "xa start 'x1'", "insert into t values (7, 'xa', 'b', 'x', 1)", "xa end 'x1'", "xa prepare 'x1'",
]
MORE_EVENTS = ["xa commit 'x1'", "create table u as select * from t", "truncate table u", "drop table u"]


def make_tables(recorder):
    recorder.run("create database golden", "use golden",
                 "create table m (id int) engine=MyISAM",
                 "create table t (id int primary key, v varchar(20), e enum('a','b'), s set('x','y'), n int unsigned)")
    first = recorder.last_file()
    recorder.run("flush binary logs")
    return first + 1


def events(recorder, extra):
    first = make_tables(recorder)
    recorder.run(*COMMON_EVENTS)
    recorder.again()
    recorder.run(*MORE_EVENTS, *extra)
    recorder.restart()
    recorder.run("use golden", "insert into t values (200, 'after', 'a', 'x', 1)")
    recorder.keep(recorder.dump(first, TO_END | (ANNOTATE if recorder.mariadb else 0)))
    recorder.heartbeat()


def mysql_events(server):
    recorder = Recorder(server)
    events(recorder, [
        "create table j (id int primary key, d json)",
        """insert into j values (1, '{"a": 1, "b": [1, 2, 3], "c": "some longer text so that a change is shorter", "d e": {"f": null}}')""",
        "set binlog_row_value_options = 'PARTIAL_JSON'",
        "update j set d = json_set(d, '$.a', 2, '$.b[1]', 'x', '$.\"d e\".g', 1)",
        "update j set d = json_remove(d, '$.b[0]')",
        "update j set d = json_array_insert(d, '$.b[0]', 'first')",
        "set binlog_row_value_options = ''",
        "set binlog_transaction_compression = ON",
        "insert into t values (100, repeat('x', 20), 'a', 'y', 4294967295)",
        "begin", "insert into t values (101, repeat('y', 20), 'a', 'y', 1)", "update t set v = 'z' where id > 99",
        "delete from t where id = 101", "commit",
        "set binlog_transaction_compression = OFF",
        "set gtid_next = 'AUTOMATIC:tagged'", "insert into t values (110, 'tag', 'a', 'y', 1)",
        "set gtid_next = 'AUTOMATIC'", "flush binary logs",
        "set binlog_rows_query_log_events = ON", "insert into t values (111, 'rows query', 'a', 'y', 1)",
        "set binlog_rows_query_log_events = OFF",
    ])
    recorder.save("mysql_events")


def mariadb_events(server):
    recorder = Recorder(server)
    events(recorder, [
        "set global log_bin_compress = ON, global log_bin_compress_min_len = 10",
        "insert into t select seq, repeat('z', 20), 'a', 'y', 1 from seq_1000_to_1010",
        "update t set v = 'kkkkkkkkkkkkkkkkk' where id >= 1000", "delete from t where id >= 1000",
        "create table a_longer_name_that_is_worth_it (id int) comment 'cccccccccccccccccccccccccccccccccccc'",
        "set global log_bin_compress = OFF", "set @@gtid_domain_id = 7",
        "insert into t values (111, 'another domain', 'a', 'y', 1)", "set @@gtid_domain_id = 0", "flush binary logs",
    ])
    recorder.save("mariadb_events")


def types(name):
    def record(server):
        recorder = Recorder(server)
        recorder.run("create database golden", "use golden", "set sql_mode = ''")
        own = MARIADB_TYPES if recorder.mariadb else MYSQL_TYPES
        recorder.types(TYPES + [BIG_ENUM, BIG_SET] + own)
        recorder.save(name)
    return record


def small_events(name):
    """Without checksums, GTIDs (MySQL), and with what metadata and images can leave out."""
    def record(server):
        recorder = Recorder(server)
        first = make_tables(recorder)
        recorder.run("create table k (a int, b int unsigned, c text, d varchar(5), primary key (b, d(3)))",
                     "insert into k values (1, 4294967295, 'long', 'key')", "update k set a = 2", "delete from k",
                     *COMMON_EVENTS[:3])
        recorder.keep(recorder.dump(first))
        recorder.heartbeat()
        recorder.save(name)
    return record


RECORDINGS = {
    "mysql_events": (MySQL, {}, mysql_events),
    "mysql_types": (MySQL, {}, types("mysql_types")),
    "mysql_minimal": (MySQL, {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF", "binlog_checksum": "NONE",
                              "binlog_row_metadata": "MINIMAL", "binlog_row_image": "MINIMAL"},
                      small_events("mysql_minimal")),
    "mariadb_events": (MariaDB, {}, mariadb_events),
    "mariadb_types": (MariaDB, {}, types("mariadb_types")),
    "mariadb_nolog": (MariaDB, {"binlog_checksum": "NONE", "binlog_row_metadata": "NO_LOG",
                                "binlog_row_image": "NOBLOB"}, small_events("mariadb_nolog")),
}


def main():
    for name in sys.argv[1:] or RECORDINGS:
        kind, settings, record = RECORDINGS[name]
        server = kind(**settings)
        try:
            record(server)
        finally:
            server.close()


if __name__ == "__main__":
    main()
