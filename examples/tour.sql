-- A tour of HeliosDB. Run it with:  cargo run --release -- sql examples/tour.sql

CREATE TABLE star (
    id        serial PRIMARY KEY,
    name      text NOT NULL UNIQUE,
    distance  numeric(8, 2) CHECK (distance >= 0),   -- light years
    kind      varchar(20) DEFAULT 'main sequence',
    seen      timestamptz
);

INSERT INTO star (name, distance, seen) VALUES
    ('Sirius', 8.60, '2026-01-01 22:00:00+00'),
    ('Proxima Centauri', 4.25, '2026-01-02 23:30:00+00'),
    ('Vega', 25.04, NULL);
INSERT INTO star (name, distance, kind) VALUES ('Betelgeuse', 548, 'red supergiant'), ('Rigel', 863, 'blue supergiant')
    RETURNING id, name;

-- Grouping and windows.
SELECT kind, count(*) AS stars, min(distance) AS nearest, round(avg(distance), 1) AS mean
FROM star GROUP BY kind ORDER BY stars DESC, kind;

SELECT name, distance, rank() OVER (ORDER BY distance) AS rank FROM star ORDER BY distance;

-- A transaction that changes its mind.
BEGIN;
UPDATE star SET distance = distance * 2 WHERE kind LIKE '%supergiant';
SAVEPOINT doubled;
DELETE FROM star WHERE distance < 10;
ROLLBACK TO SAVEPOINT doubled;
SELECT name, distance FROM star ORDER BY id;
ROLLBACK;

-- Upsert.
INSERT INTO star (name, distance) VALUES ('Vega', 25.30)
    ON CONFLICT (name) DO UPDATE SET distance = excluded.distance
    RETURNING name, distance;

-- A recursive query, and a series.
WITH RECURSIVE fibonacci (n, a, b) AS (
    SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM fibonacci WHERE n < 10
)
SELECT n, a FROM fibonacci;

SELECT day::date, extract(isodow FROM day) AS weekday
FROM generate_series('2026-01-01'::timestamp, '2026-01-05', '1 day') AS day;

-- How a query is answered.
CREATE INDEX star_distance ON star (distance);
EXPLAIN (COSTS OFF) SELECT * FROM star WHERE id = 3;

DROP TABLE star;
