create table pgbench_branches (bid int not null primary key, bbalance int, filler char(88))

create table pgbench_tellers (tid int not null primary key, bid int, tbalance int, filler char(84))

create table pgbench_accounts (aid int not null primary key, bid int, abalance int, filler char(84))

create table pgbench_history (id bigint not null auto_increment primary key, tid int, bid int, aid int, delta int,
    mtime datetime(6), filler char(22))

create table thousand (n int not null primary key)

insert into thousand with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 1000)
    select n from numbers

create procedure fill_tables(branches int)
begin
    insert into pgbench_branches select n, 0, repeat('b', 88) from thousand where n <= branches;
    insert into pgbench_tellers select (b.bid - 1) * 10 + t.n, b.bid, 0, repeat('t', 84)
        from pgbench_branches b, thousand t where t.n <= 10;
    while branches > 0 do
        insert into pgbench_accounts
            select (branches - 1) * 100000 + (h.n - 1) * 1000 + t.n, branches, 0,
                   rpad(concat('account ', (branches - 1) * 100000 + (h.n - 1) * 1000 + t.n, ' '), 84, 'a')
            from thousand h, thousand t where h.n <= 100 order by 1;
        set branches = branches - 1;
    end while;
end

create procedure tpcb(history bigint, branches int)
begin
    declare account int default 1 + floor(rand() * branches * 100000);
    declare teller int default 1 + floor(rand() * branches * 10);
    declare branch int default 1 + floor(rand() * branches);
    declare delta int default floor(rand() * 10000) - 5000;
    start transaction;
    update pgbench_accounts set abalance = abalance + delta where aid = account;
    update pgbench_tellers set tbalance = tbalance + delta where tid = teller;
    update pgbench_branches set bbalance = bbalance + delta where bid = branch;
    insert into pgbench_history values (history, teller, branch, account, delta, now(6), null);
    commit;
end

create procedure tpcb_many(first bigint, transactions int, branches int)
begin
    while transactions > 0 do
        call tpcb(first, branches);
        set first = first + 1;
        set transactions = transactions - 1;
    end while;
end
