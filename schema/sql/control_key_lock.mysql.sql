-- $1 migration, $2 table: keeps others from its key, whatever becomes of the transaction
select get_lock(sha2(concat_ws('/', 'drover', $1, 'key', $2), 224), 0)
