-- $1 migration, $2 worker, $3 epoch, $4 the migration's uuid
insert into drover.progress (migration, worker, epoch)
select name, $2, $3 from drover.migration where name = $1 and uuid = $4
on duplicate key update writes = writes;
update drover.progress
   set epoch = $3, updated_at = now(6)
 where migration = $1 and worker = $2 and epoch <= $3
   and exists (select 1 from drover.migration where name = $1 and uuid = $4)
