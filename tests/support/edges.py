"""Tables with every type at its edges (samples.py): `edges` has a column a type and a row a sample, `keys_N`
have a type as their key."""
from samples import KEYS, SAMPLES

STREAMED = 1000  # ids of rows that come through the stream


def create(session):
    columns = ", ".join(f"c{n} {kind}" for n, (kind, _) in enumerate(SAMPLES[session.engine]))
    session.execute(f"create table edges (id int primary key, {columns})")
    for n, (kind, _) in enumerate(KEYS[session.engine]):
        session.execute(f"create table keys_{n} (k {kind}{'' if ' not null' in kind else ' not null'}, n int, primary key (k))")


def rows(engine):
    """Row n has each type's n-th sample, the first ones again where a type has fewer; then one of nulls."""
    samples = [literals for _, literals in SAMPLES[engine]]
    count = max(len(literals) for literals in samples)
    return [[literals[n % len(literals)] for literals in samples] for n in range(count)] + [["null"] * len(samples)]


def fill(session, base=0):
    for n, row in enumerate(rows(session.engine)):
        session.execute(f"insert into edges values ({base + n}, {', '.join(row)})")


def fill_keys(session):
    for n, (_, literals) in enumerate(KEYS[session.engine]):
        for m, literal in enumerate(literals):
            session.execute(f"insert into keys_{n} values ({literal}, {m})")


def change(session):
    """The values of the stream: new rows, each value over another one, keys that go, come and move."""
    fill(session, STREAMED)
    known = rows(session.engine)
    for n in range(len(known)):
        other = known[(n + 1) % len(known)]
        session.execute(f"update edges set {', '.join(f'c{c} = {value}' for c, value in enumerate(other))} where id = {n}")
    session.execute(f"update edges set id = id + {2 * STREAMED} where id = {STREAMED + 1}")
    session.execute(f"delete from edges where id = {STREAMED}")
    for n, (_, literals) in enumerate(KEYS[session.engine]):
        last = literals[-1]
        session.execute(f"update keys_{n} set n = n + 100")
        session.execute(f"delete from keys_{n} where k = {last}")
        session.execute(f"update keys_{n} set k = {last} where k = {literals[0]}")
        session.execute(f"insert into keys_{n} values ({literals[0]}, 1000)")
