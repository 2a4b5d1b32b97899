-- $1 migration, $2 role, $3 holder. The new epoch is higher than any that this migration has seen.
set @drover_epoch = 1 + greatest(coalesce((select max(epoch) from drover.lease where migration = $1), 0),
                                 coalesce((select max(epoch) from drover.progress where migration = $1), 0));
insert into drover.lease (migration, role, epoch, holder, backend_pid)
values ($1, $2, @drover_epoch, $3, connection_id())
on duplicate key update epoch = @drover_epoch, holder = $3, backend_pid = connection_id(), taken_at = now(6);
select @drover_epoch
