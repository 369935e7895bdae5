"""Thirty ordinary operations with psycopg 3.

    psycopg_ops.py URI

Each operation checks what it got. The first that differs ends the script with a traceback and status 1.
"""

import datetime
import decimal
import io
import sys
import uuid

import psycopg
from psycopg import errors
from psycopg.rows import dict_row

done = 0


def passed(name):
    global done
    done += 1
    print(f"{done:2} {name}", flush=True)


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def main(uri):
    connection = psycopg.connect(uri, autocommit=True)
    cursor = connection.cursor()
    equal(cursor.execute("select 1").fetchone(), (1,))
    passed("select a constant")
    equal(connection.info.server_version // 10000, 18)
    equal(connection.info.encoding, "utf-8")
    passed("read the parameters of the server")
    cursor.execute("drop table if exists driver_items")
    cursor.execute(
        "create table driver_items (id serial primary key, name text not null unique, price numeric(10,2),"
        " made date, seen timestamptz, tag uuid, data bytea, ratio float8, live bool default true)"
    )
    passed("create a table")
    made, seen = datetime.date(2024, 2, 29), datetime.datetime(2024, 7, 4, 12, 0, tzinfo=datetime.timezone.utc)
    tag = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    cursor.execute(
        "insert into driver_items (name, price, made, seen, tag, data, ratio) values (%s, %s, %s, %s, %s, %s, %s)",
        ("first", decimal.Decimal("9.99"), made, seen, tag, b"\x00\xff", 0.5),
    )
    equal(cursor.rowcount, 1)
    passed("insert a row of parameters")
    cursor.execute("select name, price, made, seen, tag, data, ratio, live from driver_items")
    row = cursor.fetchone()
    equal(row, ("first", decimal.Decimal("9.99"), made, seen, tag, b"\x00\xff", 0.5, True))
    passed("read the row back as Python values")
    equal([column.name for column in cursor.description][:3], ["name", "price", "made"])
    equal([column.type_code for column in cursor.description][:3], [25, 1700, 1082])
    passed("describe the columns")
    cursor.executemany("insert into driver_items (name, price) values (%s, %s)", [(f"n{i}", i) for i in range(20)])
    equal(cursor.rowcount, 20)
    passed("insert many rows")
    equal(cursor.execute("select count(*) from driver_items").fetchone(), (21,))
    passed("count them")
    cursor.execute("insert into driver_items (name) values ('returned') returning id, live")
    equal(cursor.fetchone(), (22, True))
    passed("insert returning")
    cursor.execute("update driver_items set price = price + 1 where name like %s", ("n1%",))
    equal(cursor.rowcount, 11)
    passed("update with a parameter")
    cursor.execute("delete from driver_items where name = %s", ("returned",))
    equal(cursor.rowcount, 1)
    passed("delete with a parameter")
    equal(cursor.execute("select price from driver_items where name = %s", ("nobody",)).fetchone(), None)
    passed("find nothing")
    cursor.execute("insert into driver_items (name, price, ratio) values (%s, %s, %s)", ("null", None, None))
    equal(cursor.execute("select price, ratio from driver_items where name = 'null'").fetchone(), (None, None))
    passed("store and read NULL")
    try:
        cursor.execute("insert into driver_items (name) values ('first')")
        raise AssertionError("a duplicate was let in")
    except errors.UniqueViolation as error:
        equal(error.diag.sqlstate, "23505")
        equal(error.diag.constraint_name, "driver_items_name_key")
    passed("be refused a duplicate")
    try:
        cursor.execute("select nosuch from driver_items")
        raise AssertionError("an unknown column was found")
    except errors.UndefinedColumn as error:
        equal(error.diag.statement_position, "8")
    passed("be told of an unknown column, and where")
    try:
        cursor.execute("select 1 / %s::int", (0,))
        raise AssertionError("a division by zero had a result")
    except errors.DivisionByZero:
        pass
    passed("be refused a division by zero")
    with connection.transaction():
        cursor.execute("insert into driver_items (name) values ('kept')")
    equal(cursor.execute("select count(*) from driver_items where name = 'kept'").fetchone(), (1,))
    passed("commit a transaction")
    try:
        with connection.transaction():
            cursor.execute("insert into driver_items (name) values ('lost')")
            raise ValueError("changed my mind")
    except ValueError:
        pass
    equal(cursor.execute("select count(*) from driver_items where name = 'lost'").fetchone(), (0,))
    passed("roll a transaction back")
    with connection.transaction():
        cursor.execute("insert into driver_items (name) values ('outer')")
        try:
            with connection.transaction():
                cursor.execute("insert into driver_items (name) values ('outer')")
        except errors.UniqueViolation:
            pass
    equal(cursor.execute("select count(*) from driver_items where name = 'outer'").fetchone(), (1,))
    passed("nest a transaction and lose only the inner one")
    for i in range(10):
        cursor.execute("select %s::int + 1", (i,), prepare=True)
        equal(cursor.fetchone(), (i + 1,))
    passed("use a prepared statement again and again")
    binary = connection.cursor(binary=True)
    binary.execute(
        "select %b::int8, %b::text, %b::float8, %b::numeric, %b::date, %b::bool, %b::uuid, %b::bytea",
        (5000000000, "é", 1.25, decimal.Decimal("1.50"), made, False, tag, b"\x01"),
    )
    equal(binary.fetchone(), (5000000000, "é", 1.25, decimal.Decimal("1.50"), made, False, tag, b"\x01"))
    passed("send and receive in binary")
    rows = connection.cursor(row_factory=dict_row).execute("select name, price from driver_items where id = 1")
    equal(rows.fetchall(), [{"name": "first", "price": decimal.Decimal("9.99")}])
    passed("read rows as dictionaries")
    cursor.execute("select n from generate_series(1, 1000) n")
    equal(len(cursor.fetchmany(10)), 10)
    equal(len(cursor.fetchall()), 990)
    passed("fetch some rows, then the rest")
    total = sum(row[0] for row in cursor.stream("select n from generate_series(1, 1000) n"))
    equal(total, 500500)
    passed("stream rows")
    with cursor.copy("copy driver_items (name, price) from stdin") as copy:
        for i in range(100):
            copy.write_row((f"copied {i}", i))
    equal(cursor.rowcount, 100)
    passed("copy rows in")
    out = io.BytesIO()
    with cursor.copy("copy (select name, price from driver_items where name like 'copied 1%' order by id) to stdout") as copy:
        for data in copy:
            out.write(data)
    equal(out.getvalue().splitlines()[0], b"copied 1\t1.00")
    equal(len(out.getvalue().splitlines()), 11)
    passed("copy rows out")
    with connection.pipeline():
        answers = [connection.execute("select %s::int", (i,)) for i in range(5)]
    equal([answer.fetchone()[0] for answer in answers], [0, 1, 2, 3, 4])
    passed("send statements in a pipeline")
    interval = cursor.execute("select %s::interval", (datetime.timedelta(days=1, hours=2),)).fetchone()[0]
    equal(interval, datetime.timedelta(days=1, hours=2))
    equal(cursor.execute("select timestamp '2024-01-01 10:00'").fetchone(), (datetime.datetime(2024, 1, 1, 10),))
    passed("exchange intervals and timestamps")
    with psycopg.connect(uri) as other:
        other.execute("insert into driver_items (name) values ('unseen')")
        equal(cursor.execute("select count(*) from driver_items where name = 'unseen'").fetchone(), (0,))
        other.rollback()
    passed("keep two connections apart")
    cursor.execute("drop table driver_items")
    equal(cursor.execute("select to_regclass('driver_items')").fetchone(), (None,))
    connection.close()
    passed("drop the table and leave")
    equal(done, 30)


main(sys.argv[1])
