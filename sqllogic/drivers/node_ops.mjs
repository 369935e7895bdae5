// Thirty ordinary operations with node-postgres.
//
//     node node_ops.mjs URI
//
// Each operation checks what it got; the first that differs ends the script with status 1. The package `pg` is looked
// for in the working directory.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const { Client, Pool } = createRequire(path.join(process.cwd(), "package.json"))("pg");
const uri = process.argv[2];
let done = 0;
const passed = (name) => console.log(`${String(++done).padStart(2)} ${name}`);
const refused = async (promise, code) => {
  try {
    await promise;
  } catch (error) {
    assert.equal(error.code, code);
    return error;
  }
  assert.fail(`not refused with ${code}`);
};

const client = new Client({ connectionString: uri });
await client.connect();
const rows = async (text, values) => (await client.query(text, values)).rows;

assert.deepEqual(await rows("select 1 as one"), [{ one: 1 }]);
passed("select a constant");
await client.query("drop table if exists node_items");
await client.query(`create table node_items (id serial primary key, name text not null unique, price numeric(10,2),
  made date, seen timestamptz, tag uuid, data bytea, ratio float8, live bool default true, big int8)`);
passed("create a table");
const tag = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
const seen = new Date("2024-07-04T12:00:00Z");
let result = await client.query(
  "insert into node_items (name, price, seen, tag, data, ratio, big) values ($1, $2, $3, $4, $5, $6, $7)",
  ["first", "9.99", seen, tag, Buffer.from([0, 255]), 0.5, "9007199254740993"],
);
assert.equal(result.rowCount, 1);
assert.equal(result.command, "INSERT");
passed("insert a row of parameters");
let [row] = await rows("select * from node_items");
assert.equal(row.price, "9.99");
assert.equal(row.seen.getTime(), seen.getTime());
assert.equal(row.tag, tag);
assert.deepEqual([...row.data], [0, 255]);
assert.equal(row.ratio, 0.5);
assert.equal(row.live, true);
assert.equal(row.big, "9007199254740993");
passed("read the row back as JavaScript values");
result = await client.query("select id, name, live from node_items");
assert.deepEqual(result.fields.map((field) => [field.name, field.dataTypeID]), [["id", 23], ["name", 25], ["live", 16]]);
passed("describe the columns");
for (let i = 0; i < 20; i++) await client.query("insert into node_items (name, price) values ($1, $2)", [`n${i}`, i]);
passed("insert twenty rows");
assert.deepEqual(await rows("select count(*) from node_items"), [{ count: "21" }]);
passed("count them");
assert.deepEqual(await rows("insert into node_items (name) values ('returned') returning id, live"), [{ id: 22, live: true }]);
passed("insert returning");
assert.equal((await client.query("update node_items set price = price + 1 where name like $1", ["n1%"])).rowCount, 11);
passed("update with a parameter");
assert.equal((await client.query("delete from node_items where name = $1", ["returned"])).rowCount, 1);
passed("delete with a parameter");
assert.deepEqual(await rows("select * from node_items where name = $1", ["nobody"]), []);
passed("find nothing");
await client.query("insert into node_items (name, price) values ($1, $2)", ["null", null]);
assert.deepEqual(await rows("select price from node_items where name = 'null'"), [{ price: null }]);
passed("store and read NULL");
const duplicate = await refused(client.query("insert into node_items (name) values ('first')"), "23505");
assert.equal(duplicate.constraint, "node_items_name_key");
assert.equal(duplicate.table, "node_items");
passed("be refused a duplicate");
assert.equal((await refused(client.query("select nosuch from node_items"), "42703")).position, "8");
passed("be told of an unknown column, and where");
await refused(client.query("selec 1"), "42601");
passed("be told of a syntax error");
await refused(client.query("select 1 / $1::int", [0]), "22012");
passed("be refused a division by zero");
await client.query("begin");
await client.query("insert into node_items (name) values ('kept')");
await client.query("commit");
assert.equal((await rows("select from node_items where name = 'kept'")).length, 1);
passed("commit a transaction");
await client.query("begin");
await client.query("insert into node_items (name) values ('lost')");
await client.query("rollback");
assert.equal((await rows("select from node_items where name = 'lost'")).length, 0);
passed("roll a transaction back");
await client.query("begin");
await refused(client.query("insert into node_items (name) values ('first')"), "23505");
await refused(client.query("select 1"), "25P02");
await client.query("rollback");
passed("be refused more in a failed transaction");
await client.query("begin");
await client.query("savepoint s");
await refused(client.query("insert into node_items (name) values ('first')"), "23505");
await client.query("rollback to s");
await client.query("insert into node_items (name) values ('after')");
await client.query("commit");
assert.equal((await rows("select from node_items where name = 'after'")).length, 1);
passed("go back to a savepoint");
for (let i = 0; i < 10; i++) {
  const named = { name: "plus-one", text: "select $1::int + 1 as n", values: [i] };
  assert.deepEqual(await rows(named), [{ n: i + 1 }]);
}
passed("use a named prepared statement again and again");
result = await client.query({ text: "select 1 as a, 2 as a", rowMode: "array" });
assert.deepEqual(result.rows, [[1, 2]]);
passed("read rows as arrays");
result = await client.query("select 1 as x; select 2 as y; update node_items set live = false where id = 1");
assert.deepEqual(result.map((one) => one.command), ["SELECT", "SELECT", "UPDATE"]);
passed("send several statements at once");
assert.deepEqual((await rows("select name from node_items where id = any ($1::int[]) order by id", [[1, 2]])).map((r) => r.name), ["first", "n0"]);
passed("pass an array");
assert.deepEqual(await rows("select $1::text as t", ["é 日本 🙂 '\\"]), [{ t: "é 日本 🙂 '\\" }]);
passed("pass any text");
const [{ i: interval }] = await rows("select interval '1 day 2 hours' as i");
assert.equal(interval.days, 1);
assert.equal(interval.hours, 2);
passed("read an interval");
const notices = [];
client.on("notice", (notice) => notices.push(notice.message));
await client.query("drop table if exists nosuch_node_table");
assert.deepEqual(notices, ['table "nosuch_node_table" does not exist, skipping']);
passed("receive a notice");
const pool = new Pool({ connectionString: uri, max: 4 });
const sums = await Promise.all(Array.from({ length: 12 }, (_, i) => pool.query("select sum(n) from generate_series(1, $1::int) n", [i + 1])));
assert.deepEqual(sums.map((one) => Number(one.rows[0].sum)), Array.from({ length: 12 }, (_, i) => ((i + 1) * (i + 2)) / 2));
passed("query through a pool");
await client.query("begin");
await client.query("insert into node_items (name) values ('unseen')");
assert.equal((await pool.query("select from node_items where name = 'unseen'")).rowCount, 0);
await client.query("rollback");
await pool.end();
passed("keep two connections apart");
await client.query("drop table node_items");
await refused(client.query("select * from node_items"), "42P01");
await client.end();
passed("drop the table and leave");
assert.equal(done, 30);
