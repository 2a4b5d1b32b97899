-- $1 migration, $2 worker
select position, bus_sequence, bus_digest, timestampdiff(microsecond, '1970-01-01', commit_time), bus_epoch
  from drover.progress
 where migration = $1 and worker = $2
