create table if not exists core."order" (id bigint not null, total decimal(12, 2) default 0, tags super, primary key (id)) diststyle key distkey (id) sortkey auto
