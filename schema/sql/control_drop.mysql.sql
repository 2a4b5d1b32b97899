-- Everything in the database goes with it: it is asked first what is there (control_strangers.mysql.sql).
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
