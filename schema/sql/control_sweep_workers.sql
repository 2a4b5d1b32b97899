-- $1 migration, $2 role: workers that no sharer's lease speaks for and that write nothing right now
delete from drover.progress
 where ctid = any (array(
           select w.ctid from drover.progress w
            where w.migration = $1 and w.worker like $2 || '-%'
              and not exists (select 1 from drover.lease e
                               where e.migration = $1 and e.role = $2 || '-' || w.epoch)
              for update skip locked))
