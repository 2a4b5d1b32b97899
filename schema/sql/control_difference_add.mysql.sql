-- $1 migration, $2 table, $3 kind, $4 key
insert into drover.difference (migration, table_id, kind, `key`, digest)
values ($1, $2, $3, $4, unhex(sha2($4, 256)))
on duplicate key update kind = kind
