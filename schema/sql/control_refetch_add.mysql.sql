-- $1 migration, $2 table, $3 key: \x and hexadecimal digits, $4 reason
insert into drover.refetch (migration, table_id, `key`, digest, reason)
values ($1, $2, unhex(substr($3, 3)), unhex(sha2(unhex(substr($3, 3)), 256)), $4)
on duplicate key update id = id
