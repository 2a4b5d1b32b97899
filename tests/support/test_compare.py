"""The independent reader of the end-to-end tests against real servers: what was copied by hand compares
equal, and every planted difference is found."""
import re
import struct

import pytest

from compare import Reader, bits, compare, data, float4, json_value, kind_of, moment, schema_of, vector
from edges import Edges
from sides import Servers

DATABASE = "reader"
NATURAL = [  # MySQL's type, and PostgreSQL's for it
    (r"tinyint|year", "smallint"), (r"smallint.* unsigned", "integer"), (r"smallint", "smallint"), (r"mediumint", "integer"),
    (r"int.* unsigned", "bigint"), (r"int", "integer"), (r"bigint.* unsigned", "numeric(20,0)"), (r"bigint", "bigint"),
    (r"decimal\((.*)\)", r"numeric(\1)"), (r"float", "real"), (r"double", "double precision"), (r"bit\((.*)\)", r"bit(\1)"),
    (r"datetime\((.)\)", r"timestamp(\1)"), (r"datetime", "timestamp(0)"), (r"date", "date"),
    (r"timestamp\((.)\)", r"timestamptz(\1)"), (r"timestamp", "timestamptz(0)"), (r"time", "interval"), (r"json", "json"),
    (r"vector", "real[]"), (r"uuid", "uuid"), (r"inet", "inet"), (r"(var)?binary|.*blob|geometry|point", "bytea"), (r"", "text"),
]
MYSQL_OF = [  # PostgreSQL's type, and MySQL's for it
    (r"boolean", "tinyint(1)"), (r"oid", "int unsigned"), (r"integer", "int"), (r"numeric\((.*)\)", r"decimal(\1)"),
    (r"numeric", "decimal(65,30)"), (r"real", "float"), (r"double", "double"), (r"bytea", "longblob"), (r"date", "date"),
    (r"timestamp\((.)\)", r"datetime(\1)"), (r"timestamp", "datetime(6)"), (r"time\((.)\)", r"time(\1)"), (r"time", "time(6)"),
    (r"bit\((.*)\)", r"bit(\1)"), (r"bit", "bit(1)"), (r"json", "json"), (r"(small|big)int", r"\1int"), (r"uuid", "char(36)"),
    (r"interval|inet|cidr|macaddr", "varchar(64)"), (r"", "longtext"),
]


@pytest.fixture(scope="module")
def servers():
    running = Servers()
    yield running
    running.close()


@pytest.fixture
def pair(servers):
    """Makes two sessions in fresh databases."""
    opened = []

    def make(source, target):
        for role, engine in (("source", source), ("target", target)):
            side = servers.get(role, engine)
            side.drop(DATABASE)
            side.create(DATABASE)
            opened.append(side.connect(DATABASE))
        return opened
    yield make
    for session in opened:
        session.close()


def mapped(table, kind):
    pattern, name = next((pattern, name) for pattern, name in table if re.match(pattern, kind))
    return re.match(pattern, kind).expand(name)


def type_on(target, kind, is_key):
    if target == "postgresql":
        return mapped(NATURAL, kind)
    there = mapped(MYSQL_OF, kind)
    exact = " collate utf8mb4_0900_bin" if target == "mysql" else " collate utf8mb4_nopad_bin"
    return ("varchar(60)" if is_key else there) + exact if there == "longtext" else there


def for_target(value, kind, width, engine):
    """A value as its column on the other side takes it."""
    if value is None or kind is data:
        return value
    if kind is bits:
        number = bits(value)
        return format(number, f"0{width}b") if engine == "postgresql" else number
    if kind is float4:
        return struct.unpack("<f", bytes.fromhex(float4(value)))[0]
    if kind is vector:
        return list(struct.unpack(f"<{len(value) // 8}f", bytes.fromhex(value)))
    if engine == "postgresql":
        return value
    return {"true": "1", "false": "0"}.get(value, value.removesuffix("+00") if kind is moment else value)


def copy_by_hand(source, target):
    reader = Reader(source, schema_of(source.engine, DATABASE))
    for table in reader.tables():
        types, key = reader.columns(table), reader.key(table)
        there = {name: type_on(target.engine, kind, name in key) for name, kind in types.items()}
        target.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in there.items())},"
                       f" primary key ({', '.join(key)}))")
        kinds = {name: kind_of(source.engine, kind, target.engine, there[name]) for name, kind in types.items()}
        widths = [int(found[0]) if (found := re.search(r"\d+", kind)) else 1 for kind in types.values()]
        for row in reader.texts(table, kinds):
            values = [for_target(*cell, target.engine) for cell in zip(row, kinds.values(), widths)]
            target.execute(f"insert into {table} values ({', '.join(['%s'] * len(values))})", *values)


def differences(source, target):
    return compare(source, schema_of(source.engine, DATABASE), target, schema_of(target.engine, DATABASE))


@pytest.mark.parametrize("source, target", [("mysql", "postgresql"), ("mariadb", "postgresql"), ("postgresql", "mysql"),
                                            ("postgresql", "mariadb")])
def test_copy_by_hand_is_equal(pair, source, target):
    source, target = pair(source, target)
    edges = Edges(source, target.engine)
    edges.create()
    edges.fill()
    edges.fill_keys()
    edges.change()
    copy_by_hand(source, target)
    rows, wrong = differences(source, target)
    assert rows > 30 and not wrong, wrong


SMALL = "create table t (id int primary key, n bigint, w varchar(20), d decimal(10, 3))"
ROWS = "insert into t values (1, 1, 'a', 1.5), (2, 2, 'b', null), (3, 3, 'c', 2)"
PLANTED = [
    ("delete from t where id = 2", "t: missing (2,)"),
    ("insert into t values (4, 4, 'd', 4)", "t: extra (4,)"),
    ("update t set n = 4 where id = 3", "t: different (3,) n: 3 and 4"),
    ("update t set w = 'A' where id = 1", "t: different (1,) w: 'a' and 'A'"),
    ("update t set w = 'a ' where id = 1", "t: different (1,) w: 'a' and 'a '"),
    ("update t set w = '' where id = 1", "t: different (1,) w: 'a' and ''"),
    ("update t set d = 1.501 where id = 1", "t: different (1,) d: '1.5' and '1.501'"),
    ("update t set d = 0 where id = 2", "t: different (2,) d: None and '0'"),
    ("drop table t", "tables ['t'] and []"),
    ("create table u (id int primary key)", "tables ['t'] and ['t', 'u']"),
    ("alter table t drop column n", "t: columns ['id', 'n', 'w', 'd'] and ['id', 'w', 'd']"),
]


@pytest.mark.parametrize("source, target", [("mysql", "postgresql"), ("postgresql", "mariadb")])
def test_planted_differences_are_found(pair, source, target):
    source, target = pair(source, target)
    source.execute(SMALL)
    source.execute(ROWS)
    for harm, said in PLANTED:
        target.execute("drop table if exists u")
        target.execute("drop table if exists t")
        target.execute(SMALL)
        target.execute(ROWS)
        assert differences(source, target) == (3, [])
        target.execute(harm)
        assert differences(source, target)[1] == [said]


def test_rows_without_a_key_are_counted(pair):
    source, target = pair("mariadb", "postgresql")
    for session, count in ((source, 2), (target, 3)):
        session.execute("create table t (a int, b int)")
        for _ in range(count):
            session.execute("insert into t values (1, null)")
    assert differences(source, target) == (2, ["t: 2 and 3 times (1, None)"])


@pytest.mark.parametrize("ours, theirs, same", [
    ('{"a": 1, "b": 2.0}', '{"b":2,"a":1}', True), ("18446744073709551616", "1.8446744073709552e19", True),
    ('{"a": 1}', '{"a": 1, "b": null}', False), ("[1, 2]", "[2, 1]", False), ("1", '"1"', False), ("0", "-0.0", False),
    ("true", "1", False), ('"\\u00e9"', '"é"', True), ("9007199254740993", "9007199254740992", False),
])
def test_json_documents_are_compared_by_value(ours, theirs, same):
    assert (json_value(ours) == json_value(theirs)) is same
