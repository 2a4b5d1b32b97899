"""An independent reader: compares the tables of two databases of any two engines, value by value.

Every value is read as the server's own text (or bytes) and turned into a comparable Python value. How is
decided by the *source's* column type and holds for both sides: an unsigned bigint of MySQL and the
numeric(20,0) that stands for it in PostgreSQL both become an int, a time of MySQL and an interval both
become microseconds. Nothing here rounds, and nothing compares in a collation: keys are values too.

Rows stream by. What is kept of one side is a digest a key; rows that differ are read once more.
"""
import hashlib
import ipaddress
import json
import re
import struct
from decimal import Context, Decimal

WIDE = Context(prec=200000)
SHOWN = 5  # differences a table that are told in full


# ---- kinds of values: each takes the text (or bytes) of either engine

def as_text(value):
    return value if isinstance(value, str) else value.decode()


def integer(value):
    return {"true": 1, "false": 0}[value] if value in ("true", "false") else int(value)


def decimal(value):
    if value in ("NaN", "Infinity", "-Infinity"):
        return value
    return format(WIDE.normalize(Decimal(value)), "f")


def float4(value):
    return struct.pack("<f", float(value)).hex()


def float8(value):
    return struct.pack("<d", float(value)).hex()


def data(value):
    return bytes(value)


def padded(value):
    """PostgreSQL's char(n): blanks at the end mean nothing."""
    return as_text(value).rstrip(" ")


def bits(value):
    return int(value[1:], 2) if value.startswith("b") else int(value)


def moment(value):
    """A date or a point in time: (year, month, ...), year 0 being 1 BC."""
    if value in ("infinity", "-infinity"):
        return value
    found = re.fullmatch(r"(\d+)-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(?:\+00)?( BC)?", value)
    year = 1 - int(found[1]) if found[8] else int(found[1])
    return year, *(int(part or 0) for part in found.group(2, 3, 4, 5, 6)), int((found[7] or "0").ljust(6, "0"))


def clock(value):
    """A time or a span of hours in microseconds."""
    found = re.fullmatch(r"(-)?(\d+):(\d\d):(\d\d)(?:\.(\d+))?", value)
    seconds = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4])
    micros = seconds * 1000000 + int((found[5] or "0").ljust(6, "0"))
    return -micros if found[1] else micros


def span(value):
    """MySQL's time, or PostgreSQL's interval as its seconds."""
    return clock(value) if ":" in value else int(Decimal(value) * 1000000)


def number(value):
    """A number of a JSON document as MySQL keeps it: 64 bits, else a double."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2 ** 63 and struct.pack("<d", value) != \
            struct.pack("<d", -0.0):
        return int(value)
    return value if isinstance(value, float) or -2 ** 63 <= value < 2 ** 64 else number(float(value))


def json_value(value):
    def normal(node):
        if isinstance(node, tuple):  # an object's pairs
            return ("object", sorted((key, normal(child)) for key, child in node))
        if isinstance(node, list):
            return [normal(child) for child in node]
        if isinstance(node, (int, float)) and not isinstance(node, bool):
            return repr(number(node))
        return ("word", node) if node is None or isinstance(node, bool) else ("string", node)
    return repr(normal(json.loads(value, object_pairs_hook=tuple)))


def vector(value):
    if isinstance(value, str) and value.startswith("{"):
        numbers = [float(part) for part in value[1:-1].split(",")]
        return struct.pack(f"<{len(numbers)}f", *numbers).hex()
    return value.lower()


def lower(value):
    return as_text(value).lower()


def address(value):
    return str(ipaddress.ip_interface(as_text(value)))


# What is not said here is read as it is, and as text (::text) from PostgreSQL.
EXPRESSIONS = {
    ("mysql", float4): "cast({} as double)", ("mysql", bits): "{} + 0", ("mysql", vector): "hex({})",
    ("mysql", lower): "cast({} as char)", ("mysql", address): "cast({} as char)",
    ("postgresql", data): "{}", ("postgresql", bits): "'b' || {}::text",
    ("postgresql", span): "extract(epoch from {})::text",
}
MYSQL_KINDS = [
    (r"(tiny|small|medium|big)?int\b|year\b", integer), (r"decimal", decimal), (r"float", float4), (r"double", float8),
    (r"(var)?binary|(tiny|medium|long)?blob", data), (r"bit\b", bits), (r"date\b|datetime|timestamp", moment),
    (r"time\b", span), (r"json\b", json_value), (r"vector", vector), (r"uuid", lower), (r"inet[46]", address),
    (r"char|varchar|(tiny|medium|long)?text|enum|set", as_text),
    (r"geometry|point|linestring|polygon|multi|geomcollection", data),
]
POSTGRES_KINDS = [
    (r"(small|big)?int(eger)?$|oid$|boolean", integer), (r"numeric", decimal), (r"real", float4),
    (r"double precision", float8), (r"bytea", data), (r"character\(", padded), (r"bit\(", bits),
    (r"date|timestamp", moment), (r"time[ (].*without|time$", clock), (r"jsonb?$", json_value), (r"uuid", lower),
    (r"inet|cidr", address), (r"", as_text),
]
NORMALISING = {("postgresql", "jsonb"), ("mysql", "json")}


def kind_of(engine, kind, other_engine, other_type):
    """engine, kind: of the source's column."""
    table = POSTGRES_KINDS if engine == "postgresql" else MYSQL_KINDS
    found = next((function for pattern, function in table if re.match(pattern, kind)), None)
    if found is None:
        raise AssertionError(f"the reader knows no type {kind} of {engine}")
    if found in (json_value, as_text) and "json" in kind + other_type:
        normalised = (engine, kind) in NORMALISING or (other_engine, other_type) in NORMALISING
        return json_value if normalised else as_text
    return found


class Reader:
    """The tables of one side: a database of MySQL, a schema of PostgreSQL."""

    def __init__(self, session, schema):
        self.session = session
        self.engine = session.engine
        self.schema = schema
        if self.engine == "postgresql":
            for setting in ("extra_float_digits = 3", "timezone = 'UTC'", "intervalstyle = 'iso_8601'", "datestyle = 'ISO'"):
                session.execute(f"set {setting}")

    def quote(self, name):
        return '"' + name.replace('"', '""') + '"' if self.engine == "postgresql" else "`" + name.replace("`", "``") + "`"

    def tables(self):
        return sorted(as_text(name) for name, in self.session.query(
            "select table_name from information_schema.tables where table_schema = %s and table_type = 'BASE TABLE'",
            self.schema))

    def columns(self, table):
        """Name to type, in the order of the table."""
        if self.engine == "postgresql":
            rows = self.session.query(
                "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a join pg_class c on"
                " c.oid = a.attrelid where c.relnamespace = %s::regnamespace and c.relname = %s and a.attnum > 0"
                " and not a.attisdropped order by a.attnum", self.quote(self.schema), table)
        else:
            rows = self.session.query("select column_name, column_type from information_schema.columns where"
                                      " table_schema = %s and table_name = %s order by ordinal_position", self.schema, table)
        return {as_text(name): as_text(kind) for name, kind in rows}

    def key(self, table):
        if self.engine == "postgresql":
            rows = self.session.query(
                "select a.attname from pg_index i join pg_class c on c.oid = i.indrelid join pg_attribute a on"
                " a.attrelid = c.oid and a.attnum = any(i.indkey) where i.indisprimary and c.relname = %s and"
                " c.relnamespace = %s::regnamespace", table, self.quote(self.schema))
        else:
            rows = self.session.query("select column_name from information_schema.key_column_usage where table_schema = %s"
                                      " and table_name = %s and constraint_name = 'PRIMARY'", self.schema, table)
        return {as_text(name) for name, in rows}

    def expression(self, column, kind):
        family = "postgresql" if self.engine == "postgresql" else "mysql"
        return EXPRESSIONS.get((family, kind), "{}::text" if family == "postgresql" else "{}").format(self.quote(column))

    def texts(self, table, kinds):
        """The values as the server shows them."""
        listed = ", ".join(self.expression(column, kind) for column, kind in kinds.items())
        yield from self.session.stream(f"select {listed} from {self.quote(self.schema)}.{self.quote(table)}")

    def rows(self, table, kinds):
        """Tuples of comparable values."""
        functions = list(kinds.values())
        for row in self.texts(table, kinds):
            yield tuple(None if value is None else function(value) for function, value in zip(functions, row))


def digest(row):
    return hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class TableComparison:
    def __init__(self, left, right, table):
        self.left, self.right, self.table = left, right, table
        self.differences = []
        self.rows = 0
        ours, theirs = left.columns(table), right.columns(table)
        if list(ours) != list(theirs):
            self.differences.append(f"{table}: columns {list(ours)} and {list(theirs)}")
            return
        self.kinds = {name: kind_of(left.engine, kind, right.engine, theirs[name]) for name, kind in ours.items()}
        key = left.key(table) or set(ours)
        self.places = [n for n, name in enumerate(ours) if name in key]
        self._compare()

    def _key(self, row):
        return tuple(row[n] for n in self.places)

    def _digests(self, reader):
        """Key to the digests of its rows: more than one where a table has no key."""
        found = {}
        for row in reader.rows(self.table, self.kinds):
            self.rows += reader is self.left
            found.setdefault(self._key(row), []).append(digest(row))
        return found

    def _compare(self):
        ours, theirs = self._digests(self.left), self._digests(self.right)
        wrong = {key for key in ours.keys() | theirs.keys() if sorted(ours.get(key, [])) != sorted(theirs.get(key, []))}
        if not wrong:
            return
        told = set(sorted(wrong, key=repr)[:SHOWN])
        sides = [{}, {}]
        for rows, reader in zip(sides, (self.left, self.right)):
            for row in reader.rows(self.table, self.kinds):
                if self._key(row) in told:
                    rows.setdefault(self._key(row), []).append(row)
        for key in sorted(told, key=repr):
            self._tell(key, sides[0].get(key, []), sides[1].get(key, []))
        if len(wrong) > SHOWN:
            self.differences.append(f"{self.table}: {len(wrong)} keys differ in all")

    def _tell(self, key, ours, theirs):
        if len(ours) != len(theirs):
            what = "missing" if not theirs else "extra" if not ours else f"{len(ours)} and {len(theirs)} times"
            self.differences.append(f"{self.table}: {what} {shown(key)}")
            return
        for a, b in zip(sorted(ours, key=repr), sorted(theirs, key=repr)):
            for name, x, y in zip(self.kinds, a, b):
                if x != y:
                    self.differences.append(f"{self.table}: different {shown(key)} {name}: {shown(x)} and {shown(y)}")


def shown(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:120]}... ({len(text)})"


def compare(source, source_schema, target, target_schema):
    """How many rows the source has, and every difference as a line."""
    left, right = Reader(source, source_schema), Reader(target, target_schema)
    tables, others = left.tables(), right.tables()
    differences = [] if tables == others else [f"tables {tables} and {others}"]
    compared = [TableComparison(left, right, table) for table in tables if table in others]
    differences += [line for table in compared for line in table.differences]
    return sum(table.rows for table in compared), differences


def schema_of(engine, database):
    """Where the tests keep their tables."""
    return "public" if engine == "postgresql" else database
