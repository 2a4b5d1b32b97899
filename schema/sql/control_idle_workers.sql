-- $1 migration, $2 role: workers that no sharer's lease speaks for and that write nothing right now
select w.worker
  from drover.progress w
 where w.migration = $1 and w.worker like replace('ROLE-%', 'ROLE', $2)
   and not exists (select 1 from drover.lease e
                    where e.migration = $1 and e.epoch = w.epoch
                      and e.role like replace('ROLE-%', 'ROLE', $2))
   for update skip locked
