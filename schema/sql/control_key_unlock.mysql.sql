-- $1 migration, $2 table: the open transaction has the claim again
select 1 from drover.tables where migration = $1 and id = $2 for update;
do release_lock(sha2(concat_ws('/', 'drover', $1, 'key', $2), 224))
