-- $1 migration, $2 step: keeps others from it, whatever becomes of the transaction
select get_lock(sha2(concat_ws('/', 'drover', $1, 'step', $2), 224), 0)
