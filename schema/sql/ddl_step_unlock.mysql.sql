-- $1 migration, $2 step
do release_lock(sha2(concat_ws('/', 'drover', $1, 'step', $2), 224))
