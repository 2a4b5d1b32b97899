-- $1 migration, $2 role, $3 holder. The new epoch is higher than any that this migration has seen. The named lock
-- tells sweep_leases that this session lives.
set @drover_epoch = 1 + greatest(coalesce((select max(epoch) from drover.lease where migration = $1), 0),
                                 coalesce((select max(epoch) from drover.progress where migration = $1), 0));
set @drover_role = concat($2, '-', @drover_epoch);
do get_lock(sha2(concat_ws('/', 'drover', $1, 'lease', @drover_role), 224), 0);
insert into drover.lease (migration, role, epoch, holder, backend_pid)
values ($1, @drover_role, @drover_epoch, $3, connection_id());
select @drover_epoch
