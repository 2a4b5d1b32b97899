-- $1 migration, $2 role, $3 holder. The new epoch is higher than any that this migration has seen.
insert into drover.lease as held (migration, role, epoch, holder, backend_pid)
select $1, $2,
       1 + greatest(coalesce((select max(epoch) from drover.lease where migration = $1), 0),
                    coalesce((select max(epoch) from drover.progress where migration = $1), 0)),
       $3, pg_backend_pid()
on conflict (migration, role) do update
   set epoch = excluded.epoch, holder = excluded.holder, backend_pid = excluded.backend_pid,
       taken_at = now()
returning epoch
