-- $1 migration, $2 worker, $3 epoch, $4 the migration's uuid
insert into drover.progress as known (migration, worker, epoch)
select name, $2, $3::bigint from drover.migration where name = $1 and uuid = $4
on conflict (migration, worker) do update
   set epoch = excluded.epoch, updated_at = now()
 where known.epoch <= excluded.epoch
