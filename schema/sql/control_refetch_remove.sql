-- $1 migration, $2 table, $3 key: \x and hexadecimal digits
delete from drover.refetch where migration = $1 and table_id = $2 and key = $3
