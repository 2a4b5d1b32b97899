-- The database's collation: provider, name and version of its rules.
select pg_catalog.concat_ws(' ', d.j ->> 'datlocprovider', d.j ->> 'datcollate',
                            d.j ->> 'daticulocale', d.j ->> 'datlocale', d.j ->> 'datcollversion')
from (select pg_catalog.to_jsonb(x) as j from pg_catalog.pg_database x
      where x.datname = pg_catalog.current_database()) d
