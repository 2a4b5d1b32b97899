-- What somebody else put into the database drover.
select group_concat(name order by name separator ', ')
  from (select table_name as name from information_schema.tables
         where table_schema = 'drover'
           and table_name not in ('migration', 'lease', 'progress', 'tables', 'chunk', 'ddl', 'refetch', 'verify',
                                  'difference', 'object')
        union all
        select routine_name from information_schema.routines where routine_schema = 'drover'
        union all
        select event_name from information_schema.events where event_schema = 'drover'
        union all
        select trigger_name from information_schema.triggers where trigger_schema = 'drover') strangers
