-- $1 migration, $2 role, $3 holder. The new epoch is higher than any that this migration has seen.
with fresh as (
    select 1 + greatest(coalesce((select max(epoch) from drover.lease where migration = $1), 0),
                        coalesce((select max(epoch) from drover.progress where migration = $1), 0))
               as epoch
)
insert into drover.lease (migration, role, epoch, holder, backend_pid)
select $1, $2 || '-' || epoch, epoch, $3, pg_backend_pid() from fresh
returning epoch
