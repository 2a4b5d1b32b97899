-- $1 migration, $2 table, $3 kind, $4 key
insert into drover.difference (migration, table_id, kind, key) values ($1, $2, $3, $4)
on conflict do nothing
