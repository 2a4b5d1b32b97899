-- Findings about the source's server: level, name, text, remedy. $1: the migration's slot (may be
-- null), $2: the migration has started (the slot exists).
with s as (
    select pg_catalog.current_setting('server_version_num')::int as version_num,
           pg_catalog.current_setting('server_version') as version,
           pg_catalog.current_setting('wal_level') as wal_level,
           pg_catalog.current_setting('max_replication_slots')::int as max_slots,
           (select count(*)::int from pg_catalog.pg_replication_slots) as slots,
           (select bool_or(slot_name = $1) from pg_catalog.pg_replication_slots) as has_slot,
           pg_catalog.current_setting('max_wal_senders')::int as max_senders,
           (select count(*)::int from pg_catalog.pg_stat_replication) as senders,
           pg_catalog.pg_is_in_recovery() as standby,
           (select setting::bigint from pg_catalog.pg_settings where name = 'max_slot_wal_keep_size') as keep_mb,
           (select setting::bigint from pg_catalog.pg_settings where name = 'idle_replication_slot_timeout') as idle_slot,
           (select setting::bigint from pg_catalog.pg_settings where name = 'wal_sender_timeout') as sender_ms,
           (select r.rolsuper or r.rolreplication
                   -- Amazon's way to give the right.
                   or exists (select from pg_catalog.pg_roles g
                              where g.rolname = 'rds_replication'
                                and pg_catalog.pg_has_role(r.oid, g.oid, 'member'))
            from pg_catalog.pg_roles r where r.rolname = current_user) as may_replicate,
           (select pg_catalog.string_agg(gid, ', ' order by prepared) from pg_catalog.pg_prepared_xacts
            where database = pg_catalog.current_database()) as prepared,
           (select pg_catalog.string_agg(pid::text, ', ' order by pid) from pg_catalog.pg_stat_activity
            where backend_xid is not null and pid <> pg_catalog.pg_backend_pid()
              and xact_start < pg_catalog.now() - interval '30 seconds') as long_running
)
select case when version_num >= 140000 then 'pass' else 'fail' end,
       'source.version',
       case when version_num >= 140000 then pg_catalog.format('PostgreSQL %s', version)
            else pg_catalog.format('PostgreSQL %s is older than 14, the first version that drover reads', version) end,
       case when version_num < 140000 then 'upgrade the source to PostgreSQL 14 or later' end
from s
union all
select 'fail', 'source.standby', 'the source is a standby: writes happen on another server', 'name the primary in source: url'
from s where standby
union all
select case when wal_level = 'logical' then 'pass' else 'fail' end, 'source.wal_level',
       pg_catalog.format('wal_level is %s%s', wal_level,
                         case when wal_level = 'logical' then '' else ', it must be logical' end),
       case when wal_level <> 'logical'
            then 'alter system set wal_level = logical; -- then restart the source' end
from s
union all
select case when free then 'pass' else 'fail' end, 'source.slots',
       pg_catalog.format('%s of %s replication slots are in use', slots, max_slots),
       case when not free
            then pg_catalog.format('alter system set max_replication_slots = %s; -- then restart the source, or drop a slot that nobody needs',
                                   greatest(slots, max_slots) + 4) end
from (select *, coalesce(has_slot, false) or $2::boolean or slots < max_slots as free from s) s
union all
select case when free then 'pass' else 'fail' end, 'source.wal_senders',
       pg_catalog.format('%s of %s WAL senders are in use', senders, max_senders),
       case when not free
            then pg_catalog.format('alter system set max_wal_senders = %s; -- then restart the source',
                                   greatest(senders, max_senders) + 4) end
from (select *, $2::boolean or senders < max_senders as free from s) s
union all
select case when may_replicate then 'pass' else 'fail' end, 'source.role_replication',
       pg_catalog.format('role %I %s replication', current_user,
                         case when may_replicate then 'may use' else 'may not use' end),
       case when not may_replicate then pg_catalog.format('alter role %I replication;', current_user) end
from s
union all
select 'warn', 'source.max_slot_wal_keep_size',
       pg_catalog.format('the source throws the log away that a slot needs once it is larger than %s MB; then drover has to start again', keep_mb),
       'alter system set max_slot_wal_keep_size = -1; select pg_reload_conf();'
from s where keep_mb >= 0
union all
select 'warn', 'source.idle_replication_slot_timeout',
       'the source gives slots up that were idle for some time; then drover has to start again',
       'alter system set idle_replication_slot_timeout = 0; select pg_reload_conf();'
from s where idle_slot > 0
union all
select 'warn', 'source.wal_sender_timeout',
       pg_catalog.format('wal_sender_timeout is %s ms: %s', sender_ms,
                         case when sender_ms = 0 then 'a dead connection holds the slot for a long time'
                              else 'short waits end the stream' end),
       'alter system set wal_sender_timeout = ''60s''; select pg_reload_conf();'
from s where sender_ms < 10000
union all
select 'warn', 'source.prepared_transactions',
       pg_catalog.format('prepared transactions are open, and creating the slot waits for them: %s', prepared),
       'commit prepared ''...''; or rollback prepared ''...'';'
from s where prepared is not null and not $2::boolean
union all
select 'warn', 'source.open_transactions',
       pg_catalog.format('write transactions are open for more than 30 s, and creating the slot waits for them: pid %s', long_running),
       'select pg_terminate_backend(pid); -- if it may be ended'
from s where long_running is not null and not $2::boolean
