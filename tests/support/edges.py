"""Tables with every type at its edges (samples.py): `edges` has a column a type and a row a sample, `keys_N`
have a type as their key."""
from samples import KEYS, SAMPLES

STREAMED = 1000  # ids of rows that come through the stream
NEGATIVE_ZEROS = ("-0e0", "'-0'")


def samples(engine, other):
    """Types and literals of an engine that another engine can hold: MariaDB has no vector, and no negative
    zero, in 10.11."""
    if other != "mariadb":
        return SAMPLES[engine]
    return [(kind, [literal for literal in literals if literal not in NEGATIVE_ZEROS])
            for kind, literals in SAMPLES[engine] if not kind.startswith("vector")]


class Edges:
    """The tables of a session's database, for a move to the other engine."""

    def __init__(self, session, other):
        self.session = session
        self.samples = samples(session.engine, other)
        self.keys = KEYS[session.engine]

    def create(self):
        columns = ", ".join(f"c{n} {kind}" for n, (kind, _) in enumerate(self.samples))
        self.session.execute(f"create table edges (id int primary key, {columns})")
        for n, (kind, _) in enumerate(self.keys):
            whole = kind if " not null" in kind else kind + " not null"
            self.session.execute(f"create table keys_{n} (k {whole}, n int, primary key (k))")

    def rows(self):
        """Row n has each type's n-th sample, the first ones again where a type has fewer; then one of nulls."""
        count = max(len(literals) for _, literals in self.samples)
        rows = [[literals[n % len(literals)] for _, literals in self.samples] for n in range(count)]
        return rows + [["null"] * len(self.samples)]

    def fill(self, base=0):
        for n, row in enumerate(self.rows()):
            self.session.execute(f"insert into edges values ({base + n}, {', '.join(row)})")

    def fill_keys(self):
        for n, (_, literals) in enumerate(self.keys):
            for m, literal in enumerate(literals):
                self.session.execute(f"insert into keys_{n} values ({literal}, {m})")

    def change(self):
        """The values of the stream: new rows, each value over another one, keys that go, come and move."""
        self.fill(STREAMED)
        rows = self.rows()
        for n in range(len(rows)):
            values = enumerate(rows[(n + 1) % len(rows)])
            self.session.execute(f"update edges set {', '.join(f'c{c} = {value}' for c, value in values)} where id = {n}")
        self.session.execute(f"update edges set id = id + {2 * STREAMED} where id = {STREAMED + 1}")
        self.session.execute(f"delete from edges where id = {STREAMED}")
        for n, (_, literals) in enumerate(self.keys):
            first, last = literals[0], literals[-1]
            self.session.execute(f"update keys_{n} set n = n + 100")
            self.session.execute(f"delete from keys_{n} where k = {last}")
            self.session.execute(f"update keys_{n} set k = {last} where k = {first}")
            self.session.execute(f"insert into keys_{n} values ({first}, 1000)")
