-- drover's durable control state, in the target. One row of drover.migration a migration.
create schema if not exists drover;
comment on schema drover is 'control state of the drover database mover';

create table if not exists drover.migration (
    name text primary key,
    uuid text not null unique,
    file text not null,                -- the migration file as resolved, without secrets
    phase text not null,               -- planned copying catching_up indexing streaming done stopped
    source_identity text,              -- system identifier/timeline, of the history
    source_server text,                -- whose positions they are; null: source_identity
    source_era integer not null default 0, -- how often another server took its place
    slot text,                         -- intent: recorded before the slot is created
    start_position text,               -- P0; null until the slot exists
    start_resume text,                 -- its resume text; null where the position says it all
    consistent_position text,          -- highest HIGH of all chunks, once the copy is done
    snapshot text,                     -- exported with the slot, while capture keeps it for the copy
    bus_uuid text,
    paused boolean not null default false,
    version integer not null default 1, -- of this control schema
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- Who holds a role, and its epoch: taken under the role's session lock. Those who share a role
-- (copy) have a row each, copy-<epoch>; row copy is of who had it alone last.
create table if not exists drover.lease (
    migration text not null references drover.migration on delete cascade,
    role text not null,                -- capture copy apply copy-<epoch>
    epoch bigint not null,
    holder text not null,              -- host and process
    backend_pid integer not null,      -- of the session that holds the lock
    taken_at timestamptz not null default now(),
    primary key (migration, role)
);

-- One row a writer of data: changed first in each of its data transactions (its epoch is checked by
-- that statement), with the position that the transaction reaches.
create table if not exists drover.progress (
    migration text not null references drover.migration on delete cascade,
    worker text not null,              -- apply, apply-build-<n>, copy-<epoch>-<n>
    epoch bigint not null,
    writes bigint not null default 0,
    position text,                     -- apply: end of the last applied transaction
    resume text,                       -- its resume text; null where the position says it all
    bus_sequence bigint not null default 0,  -- last record whose transactions are all contained
    bus_digest text not null default '0',    -- its digest, hexadecimal
    bus_epoch bigint not null default 0,     -- highest epoch claimed up to that record
    commit_time timestamptz,           -- source time of that transaction
    updated_at timestamptz not null default now(),
    primary key (migration, worker)
) with (fillfactor = 50);

create table if not exists drover.tables (
    migration text not null references drover.migration on delete cascade,
    id integer not null,
    source_schema text not null,
    source_name text not null,
    target_schema text not null,
    target_name text not null,
    version text not null,             -- Table.version, hexadecimal
    storage text not null,             -- relfilenode at the start
    state text not null,               -- planned copying copied keyed ready
    rows_total bigint not null default 0,  -- estimated at the start
    bytes_total bigint not null default 0,
    in_doubt text,                     -- why a verify is due (a rewrite was seen)
    captured bigint not null default 0,
    applied bigint not null default 0,
    filtered bigint not null default 0,
    superseded bigint not null default 0,
    rejected bigint not null default 0,
    refetched bigint not null default 0,
    primary key (migration, id)
) with (fillfactor = 50);

-- The copy's ledger: a chunk is done in the transaction that wrote its rows, and claimed by a row
-- lock in that transaction.
create table if not exists drover.chunk (
    migration text not null,
    table_id integer not null,
    chunk integer not null,
    lower_key text[],                  -- inclusive, the source's text; null: from the start
    upper_key text[],                  -- exclusive; null: to the end
    state text not null default 'todo',  -- todo, done
    worker text,
    rows bigint,
    bytes bigint,
    high text,                         -- HIGH of the read (rule R5)
    high_resume text,                  -- a resume text with all that the read saw; null on PostgreSQL
    copied_at timestamptz,
    primary key (migration, table_id, chunk),
    foreign key (migration, table_id) references drover.tables on delete cascade
);

-- What the target's schema still needs, in order: kinds schema, sequence, table before the copy;
-- key after a table's last chunk; index, constraint, foreign_key, analyze after the consistent
-- point; sequence_owner.
create table if not exists drover.ddl (
    migration text not null references drover.migration on delete cascade,
    step integer not null,
    table_id integer,                  -- null: of no table
    kind text not null,
    name text not null,                -- for messages
    statement text not null,
    done boolean not null default false,
    primary key (migration, step)
);

-- Keys whose row apply must read from the source again (rule R7).
create table if not exists drover.refetch (
    migration text not null references drover.migration on delete cascade,
    table_id integer not null,
    key bytea not null,                -- row_pack of the key
    reason text not null,
    created_at timestamptz not null default now(),
    primary key (migration, table_id, key)
);

-- The answer of the last verify of each table, and the keys that were proven to differ.
create table if not exists drover.verify (
    migration text not null,
    table_id integer not null,
    state text not null,               -- running, equal, different, unproven
    position text,
    rows_source bigint,
    rows_target bigint,
    missing bigint not null default 0,
    extra bigint not null default 0,
    different bigint not null default 0,
    backlog bigint not null default 0, -- keys in motion, not yet proven
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    primary key (migration, table_id),
    foreign key (migration, table_id) references drover.tables on delete cascade
);

create table if not exists drover.difference (
    migration text not null,
    table_id integer not null,
    kind text not null,                -- missing, extra, different
    key text not null,
    found_at timestamptz not null default now(),
    primary key (migration, table_id, key),
    foreign key (migration, table_id) references drover.tables on delete cascade
);

-- Whatever drover created on either side, so that `drop` removes it and nothing else.
create table if not exists drover.object (
    migration text not null references drover.migration on delete cascade,
    side text not null,                -- source, target, bus
    kind text not null,                -- slot, publication, table, index, constraint, sequence, schema;
                                       -- of a bus its kind
    name text not null,
    created_at timestamptz not null default now(),
    primary key (migration, side, kind, name)
);
