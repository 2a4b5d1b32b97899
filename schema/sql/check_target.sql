-- Findings about the target's server: level, name, text, remedy. $1: the source's major version,
-- $2: the source's encoding (both null where it is no PostgreSQL; its texts are UTF-8 then).
with s as (
    select pg_catalog.current_setting('server_version_num')::int as version_num,
           pg_catalog.current_setting('server_version') as version,
           pg_catalog.current_setting('server_encoding') as encoding,
           pg_catalog.pg_is_in_recovery() as standby
)
select case when version_num < 140000 then 'fail' when version_num / 10000 < $1::int then 'warn' else 'pass' end,
       'target.version',
       case when version_num < 140000
            then pg_catalog.format('PostgreSQL %s is older than 14, the first version that drover writes', version)
            when version_num / 10000 < $1::int
            then pg_catalog.format('PostgreSQL %s is older than the source (%s): newer features of the tables cannot be created', version, $1)
            else pg_catalog.format('PostgreSQL %s', version) end,
       case when version_num < 140000 then 'upgrade the target to PostgreSQL 14 or later' end
from s
union all
select 'fail', 'target.standby', 'the target is a standby and cannot be written', 'name the primary in target: url'
from s where standby
union all
select case when encoding in ('UTF8', coalesce($2, 'UTF8')) then 'pass' else 'fail' end, 'target.encoding',
       pg_catalog.format('the target''s encoding is %s, the source''s %s', encoding, coalesce($2, 'UTF8')),
       case when encoding not in ('UTF8', coalesce($2, 'UTF8'))
            then pg_catalog.format('create database %I encoding %L template template0; -- again, under this encoding',
                                   pg_catalog.current_database(), coalesce($2, 'UTF8')) end
from s
