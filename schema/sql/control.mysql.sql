-- drover's durable control state, in a MySQL or MariaDB target: the tables of control.sql. What is said there of
-- tables and columns holds here; this file says what is different.
--
-- Texts compare byte by byte, spaces at the end included: each server has its own name for that collation. Times
-- are UTC. What may be longer than a key is stands in the key by its digest.
--
-- A statement that locks rows keeps the locks of rows that it has read and did not want, or sorted away. So a claim
-- reads along an index in which it wants every row, and stops at the first; or it finds rows without locks, and then
-- tries to lock one after the other by its key.
-- `session` is the connection that has claimed a row; a claim that is not committed is seen by a dirty read.
--
-- What a transaction cannot hold, since DDL ends it, is held by a named lock of the session:
-- sha2('drover/<migration>/<what>', 224), where <what> is
--   lease/<role>    of who shares a role, as long as its session lives
--   step/<number>   of a step of drover.ddl that is being run
--   key/<table>     of a table whose key is being built
create schema if not exists drover
    default character set utf8mb4 /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.migration (
    name varchar(64) not null,
    uuid varchar(64) not null,
    file longtext not null,
    phase varchar(64) not null,
    source_identity text,
    source_server text,
    source_era integer not null default 0,
    slot text,
    start_position text,
    start_resume longtext,
    consistent_position text,
    snapshot longtext,
    bus_uuid text,
    paused boolean not null default false,
    version integer not null default 1,
    created_at datetime(6) not null default current_timestamp(6),
    updated_at datetime(6) not null default current_timestamp(6),
    primary key (name),
    unique key (uuid)
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.lease (
    migration varchar(64) not null,
    role varchar(64) not null,
    epoch bigint not null,
    holder text not null,
    backend_pid bigint not null,       -- the connection's number
    taken_at datetime(6) not null default current_timestamp(6),
    primary key (migration, role),
    foreign key (migration) references drover.migration (name) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.progress (
    migration varchar(64) not null,
    worker varchar(128) not null,
    epoch bigint not null,
    writes bigint not null default 0,
    position text,
    resume longtext,
    bus_sequence bigint not null default 0,
    bus_digest varchar(16) not null default '0',
    bus_epoch bigint not null default 0,
    commit_time datetime(6),
    updated_at datetime(6) not null default current_timestamp(6),
    session bigint,                    -- that began the last data transaction
    primary key (migration, worker),
    foreign key (migration) references drover.migration (name) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.tables (
    migration varchar(64) not null,
    id integer not null,
    source_schema text not null,
    source_name text not null,
    target_schema text not null,
    target_name text not null,
    version text not null,
    storage text not null,
    state varchar(64) not null,
    rows_total bigint not null default 0,
    bytes_total bigint not null default 0,
    in_doubt text,
    captured bigint not null default 0,
    applied bigint not null default 0,
    filtered bigint not null default 0,
    superseded bigint not null default 0,
    rejected bigint not null default 0,
    refetched bigint not null default 0,
    session bigint,
    primary key (migration, id),
    foreign key (migration) references drover.migration (name) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.chunk (
    migration varchar(64) not null,
    table_id integer not null,
    chunk integer not null,
    lower_key longtext,                -- an array literal (schema/text_array.h)
    upper_key longtext,
    state varchar(64) not null default 'todo',
    worker varchar(128),
    `rows` bigint,
    bytes bigint,
    high varchar(64),
    high_resume longtext,
    copied_at datetime(6),
    place bigint not null,             -- minus bytes_total of its table: big tables come first
    session bigint,
    primary key (migration, table_id, chunk),
    key by_place (migration, state, place, table_id, chunk),
    key by_state (migration, table_id, state),
    foreign key (migration, table_id) references drover.tables (migration, id) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.ddl (
    migration varchar(64) not null,
    step integer not null,
    table_id integer,
    kind varchar(64) not null,
    name text not null,
    statement longtext not null,
    done boolean not null default false,
    begun boolean not null default false,  -- it may have been run, and who ran it did not live to say so
    session bigint,
    primary key (migration, step),
    foreign key (migration) references drover.migration (name) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.refetch (
    id bigint not null auto_increment,  -- the order in which keys were added
    migration varchar(64) not null,
    table_id integer not null,
    `key` longblob not null,
    digest binary(32) not null,        -- SHA-256 of the key
    reason text not null,
    created_at datetime(6) not null default current_timestamp(6),
    primary key (id),
    unique key by_key (migration, table_id, digest),
    foreign key (migration) references drover.migration (name) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.verify (
    migration varchar(64) not null,
    table_id integer not null,
    state varchar(64) not null,
    position text,
    rows_source bigint,
    rows_target bigint,
    missing bigint not null default 0,
    extra bigint not null default 0,
    different bigint not null default 0,
    backlog bigint not null default 0,
    started_at datetime(6) not null default current_timestamp(6),
    ended_at datetime(6),
    primary key (migration, table_id),
    foreign key (migration, table_id) references drover.tables (migration, id) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

create table if not exists drover.difference (
    migration varchar(64) not null,
    table_id integer not null,
    kind varchar(64) not null,
    `key` longtext not null,
    digest binary(32) not null,        -- SHA-256 of the key
    found_at datetime(6) not null default current_timestamp(6),
    primary key (migration, table_id, digest),
    foreign key (migration, table_id) references drover.tables (migration, id) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */;

-- The last one: where it is, all are.
create table if not exists drover.object (
    migration varchar(64) not null,
    side varchar(16) not null,
    kind varchar(64) not null,
    name text not null,
    digest binary(32) not null,        -- SHA-256 of the name
    created_at datetime(6) not null default current_timestamp(6),
    primary key (migration, side, kind, digest),
    foreign key (migration) references drover.migration (name) on delete cascade
) engine = InnoDB default character set utf8mb4
  /*!80017 collate utf8mb4_0900_bin */ /*M! collate utf8mb4_nopad_bin */
