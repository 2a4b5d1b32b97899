-- $1 migration, $2 table, $3 chunk, $4 worker, $5 rows, $6 bytes, $7 HIGH
update drover.chunk
   set state = 'done', worker = $4, `rows` = $5, bytes = $6, high = $7, copied_at = now(6), session = null
 where migration = $1 and table_id = $2 and chunk = $3 and state = 'todo';
select row_count(), exists (select 1 from drover.chunk
                             where migration = $1 and table_id = $2 and chunk <> $3 and state = 'todo')
