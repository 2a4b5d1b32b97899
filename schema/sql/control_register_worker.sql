-- $1 migration, $2 worker, $3 epoch
insert into drover.progress as known (migration, worker, epoch)
values ($1, $2, $3)
on conflict (migration, worker) do update
   set epoch = excluded.epoch, updated_at = now()
 where known.epoch < excluded.epoch
