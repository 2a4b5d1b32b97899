-- Without cascade: what somebody else put into the schema, or made depend on it, is not ours to drop.
drop table if exists drover.object;
drop table if exists drover.difference;
drop table if exists drover.verify;
drop table if exists drover.refetch;
drop table if exists drover.ddl;
drop table if exists drover.chunk;
drop table if exists drover.tables;
drop table if exists drover.progress;
drop table if exists drover.lease;
drop table if exists drover.migration;
drop schema if exists drover;
