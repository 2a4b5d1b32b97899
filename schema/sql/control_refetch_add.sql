-- $1 migration, $2 table, $3 key: \x and hexadecimal digits, $4 reason
insert into drover.refetch (migration, table_id, key, reason) values ($1, $2, $3, $4)
on conflict (migration, table_id, key) do nothing
