-- What a person types into psql. The answers in commands.out are PostgreSQL 18's, as psql 15 shows them: `just psql-record`.
CREATE TABLE shelves (id int PRIMARY KEY, room text NOT NULL DEFAULT 'hall', width numeric(6,2) CHECK (width > 0));
CREATE TABLE books (
    id serial PRIMARY KEY,
    isbn varchar(13) UNIQUE,
    title text NOT NULL,
    shelf int,
    price numeric(8,2) DEFAULT 0.00,
    added timestamptz DEFAULT now(),
    CONSTRAINT priced CHECK (price >= 0)
);
CREATE INDEX books_shelf ON books (shelf, title);
CREATE VIEW cheap AS SELECT id, title FROM books WHERE price < 10;
CREATE SEQUENCE tickets START 100 INCREMENT 5;
CREATE SCHEMA attic;
CREATE TABLE attic.boxes (label text);
CREATE TABLE counted (n bigint GENERATED ALWAYS AS IDENTITY, doubled bigint GENERATED ALWAYS AS (n * 2) STORED);
\d
\d shelves
\d books
\d books_shelf
\d books_pkey
\d cheap
\d+ cheap
\d tickets
\d books_id_seq
\d attic.boxes
\d counted
\d nothing
\dt
\dt attic.*
\di
\ds
\dv
\dn
\du
\dT
\df
\dp
\d+ shelves
\sv cheap
\df now
\do ||
\dC
INSERT INTO shelves VALUES (1, DEFAULT, 10.5), (2, 'attic', 7);
SELECT * FROM shelves ORDER BY id;
\x on
SELECT * FROM shelves ORDER BY id;
\x off
SELECT id AS "the id", room FROM shelves ORDER BY 1 \g
SELECT 1 / 0;
SELECT nothing FROM shelves;
INSERT INTO shelves VALUES (1, 'again', 1);
INSERT INTO shelves VALUES (3, NULL, 1);
INSERT INTO shelves VALUES (3, 'x', -1);
\copy shelves TO STDOUT WITH (FORMAT csv, HEADER)
\gdesc
SELECT 1 AS one, 'x'::text AS x, now() AS moment \gdesc
SELECT count(*) AS n FROM shelves \gset
\echo :n
BEGIN;
SAVEPOINT a;
SELECT 1 / 0;
ROLLBACK TO a;
COMMIT;
\encoding
