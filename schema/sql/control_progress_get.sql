-- $1 migration, $2 worker
select position, bus_sequence, bus_digest,
       cast(extract(epoch from commit_time) * 1000000 as bigint), bus_epoch
  from drover.progress
 where migration = $1 and worker = $2
