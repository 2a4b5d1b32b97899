-- $1 migration, $2 worker, $3 position, $4 record, $5 its digest, $6 microseconds since 1970,
-- $7 highest epoch claimed up to that record, $8 resume text of the position
update drover.progress
   set position = $3, bus_sequence = $4, bus_digest = $5,
       commit_time = timestamp('1970-01-01') + interval $6 microsecond,
       bus_epoch = $7,
       resume = $8,
       updated_at = now(6)
 where migration = $1 and worker = $2
