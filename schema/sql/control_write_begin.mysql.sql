-- $1 migration, $2 worker, $3 epoch
update drover.progress
   set writes = writes + 1, session = connection_id(), updated_at = now(6)
 where migration = $1 and worker = $2 and epoch = $3
