PRAGMA defer_foreign_keys=TRUE;
CREATE TABLE IF NOT EXISTS "eventlog_7_notes_2026" ("seqNum" integer primary key   , "parentSeqNum" integer   not null , "name" text   not null , "args" text    , "createdAt" text   not null , "clientId" text   not null , "sessionId" text   not null ) strict;
INSERT INTO "eventlog_7_notes_2026" VALUES(1,0,'v1.NoteCreated','{"id":"1","text":"it''s milk"}','2026-11-22T00:24:43.316Z','client-1','session-1');
INSERT INTO "eventlog_7_notes_2026" VALUES(2,1,'v1.NoteCreated',NULL,'2026-11-22T00:24:43.316Z','client-1','session-1');
INSERT INTO "eventlog_7_notes_2026" VALUES(3,2,'v1.NoteCreated','null','2026-11-22T00:24:43.316Z','client-1','session-1');
INSERT INTO "eventlog_7_notes_2026" VALUES(4,3,'v1.NoteCreated','{"text":"a\nb \"q\" \\n ü 😀 \u0000"}','2026-11-22T00:24:43.316Z','client-1','session-1');
INSERT INTO "eventlog_7_notes_2026" VALUES(5,4,replace(replace('odd ''name''\nwith\r\nlines','\r',char(13)),'\n',char(10)),'[1,2.5,"''"]','2026-11-22T00:24:43.360Z','client-1','session-1');
CREATE TABLE IF NOT EXISTS "eventlog_7_other" ("seqNum" integer primary key   , "parentSeqNum" integer   not null , "name" text   not null , "args" text    , "createdAt" text   not null , "clientId" text   not null , "sessionId" text   not null ) strict;
INSERT INTO "eventlog_7_other" VALUES(1,0,'v1.NoteCreated','{}','2026-11-22T00:24:43.424Z','client-1','session-1');