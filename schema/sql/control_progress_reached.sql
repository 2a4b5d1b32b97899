-- $1 migration, $2 worker
select position, resume
  from drover.progress
 where migration = $1 and worker = $2
