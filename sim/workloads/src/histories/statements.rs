//! Statements over registers and lists: their text, and what their answers say.
//!
//! A register is a row of `registers`. A list with an even number is a row of `lists`, its elements behind commas in one
//! text; one with an odd number is rows of `entries`, which a unique index keeps from having the same position twice. What
//! is not there has never been written.

use std::collections::BTreeMap;

use helios_isolation::{Object, Operation};
use helios_sim::Violation;
use heliosdb::{Connection, Row, Rows, ToSql};

use super::Shared;
use crate::life::Client;
use crate::trouble::Trouble;

pub(super) const SCHEMA: &str =
    "CREATE TABLE registers (id bigint PRIMARY KEY, grp bigint NOT NULL, value bigint NOT NULL);
    CREATE INDEX ON registers (grp);
    CREATE TABLE lists (id bigint PRIMARY KEY, grp bigint NOT NULL, body text NOT NULL);
    CREATE INDEX ON lists (grp);
    CREATE TABLE entries (list bigint, position bigint, grp bigint NOT NULL, item bigint NOT NULL,
                          PRIMARY KEY (list, position));
    CREATE INDEX ON entries (grp)";

pub(super) const GROUPS: u32 = 4;
/// Objects with this many numbers are written at any time, so that transactions fight over them.
const LIVE: u32 = 3;
/// After so many commits another object comes into use and one is left alone.
const COMMITS_EACH: u64 = 9;

/// A statement that is to be run.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// One object, by its key.
    Read(Object),
    /// All objects with numbers from here to there, in one statement.
    ReadRange(u32, u32),
    /// All objects of a group, by the secondary index, in one statement.
    ReadGroup(u32),
    /// SELECT ... FOR UPDATE, NO KEY UPDATE or SHARE of two registers or of two lists in `lists`.
    Lock(Table, [u32; 2], &'static str),
    /// UPDATE of registers from here to there.
    Update { first: u32, last: u32, value: i64, returning: bool },
    /// INSERT ... ON CONFLICT DO UPDATE of a register.
    Upsert { register: u32, value: i64, returning: bool },
    /// `||`, by UPDATE or by INSERT ... ON CONFLICT DO UPDATE.
    Append { list: u32, value: i64, inserts: bool, returning: bool },
    /// One more row, behind the last one that its statement sees.
    AddEntry { list: u32, value: i64 },
}

/// A table that has rows to lock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Registers,
    Lists,
}

fn even(number: u32) -> u32 {
    number & !1
}

impl Kind {
    pub(super) fn read(client: &Client, shared: &Shared) -> Kind {
        let number = draw_number(client, shared);
        match client.below(6) {
            0 => Kind::Read(Object::Register(number)),
            1 => Kind::Read(Object::List(number)),
            2 => Kind::ReadGroup(number % GROUPS),
            _ => {
                let first = number.saturating_sub(client.below(3) as u32);
                Kind::ReadRange(first, number + client.below(2) as u32)
            }
        }
    }

    pub(super) fn write(client: &Client, shared: &Shared) -> Kind {
        let (number, value) = (draw_number(client, shared), shared.lock().value());
        let returning = !client.one_in(4);
        match client.below(10) {
            0..=1 => Kind::Update { first: number, last: number, value, returning },
            2 => Kind::Update { first: number.saturating_sub(1), last: number, value, returning },
            3..=4 => Kind::Upsert { register: number, value, returning },
            5..=7 => Kind::Append { list: even(number), value, inserts: !client.one_in(3), returning },
            _ => Kind::AddEntry { list: even(number) + 1, value },
        }
    }

    /// A statement that commits by itself. If nobody hears of it, all that it was to write must be known: what an UPDATE
    /// of several rows has met is not.
    pub(super) fn autonomous_write(client: &Client, shared: &Shared) -> Kind {
        match Kind::write(client, shared) {
            Kind::Update { last, value, returning, .. } => Kind::Update { first: last, last, value, returning },
            kind => kind,
        }
    }

    /// What a script can do: its writes happen whatever they meet.
    pub(super) fn blind_write(client: &Client, shared: &Shared) -> Kind {
        let (number, value) = (draw_number(client, shared), shared.lock().value());
        match client.below(2) {
            0 => Kind::Upsert { register: number, value, returning: false },
            _ => Kind::Append { list: even(number), value, inserts: true, returning: false },
        }
    }

    pub(super) fn lock(client: &Client, shared: &Shared) -> Kind {
        let strength = ["UPDATE", "UPDATE", "NO KEY UPDATE", "SHARE", "UPDATE NOWAIT"][client.below(5) as usize];
        let (one, other) = (draw_number(client, shared), draw_number(client, shared));
        if client.one_in(2) {
            Kind::Lock(Table::Registers, [one, other], strength)
        } else {
            Kind::Lock(Table::Lists, [even(one), even(other)], strength)
        }
    }

    /// What it may write.
    pub(super) fn writes(&self) -> Vec<Operation> {
        match self {
            Kind::Read(_) | Kind::ReadRange(..) | Kind::ReadGroup(_) | Kind::Lock(..) => Vec::new(),
            Kind::Update { first, last, value, .. } => {
                (*first..=*last).map(|number| Operation::write(Object::Register(number), *value)).collect()
            }
            Kind::Upsert { register, value, .. } => vec![Operation::write(Object::Register(*register), *value)],
            Kind::Append { list, value, .. } | Kind::AddEntry { list, value } => {
                vec![Operation::write(Object::List(*list), *value)]
            }
        }
    }

    /// Its text, and its parameters.
    fn sql(&self) -> (String, Vec<i64>) {
        match self {
            Kind::Read(Object::Register(number)) => {
                ("SELECT value FROM registers WHERE id = $1".to_owned(), vec![i64::from(*number)])
            }
            Kind::Read(Object::List(number)) => {
                let text = match number % 2 {
                    0 => "SELECT body FROM lists WHERE id = $1",
                    _ => "SELECT item FROM entries WHERE list = $1 ORDER BY position",
                };
                (text.to_owned(), vec![i64::from(*number)])
            }
            Kind::ReadRange(first, last) => {
                (read_all("BETWEEN $1 AND $2", "id", "list"), vec![i64::from(*first), i64::from(*last)])
            }
            Kind::ReadGroup(group) => (read_all("= $1", "grp", "grp"), vec![i64::from(*group)]),
            Kind::Lock(table, [one, other], strength) => {
                let (name, column) = match table {
                    Table::Registers => ("registers", "value"),
                    Table::Lists => ("lists", "body"),
                };
                let text = format!("SELECT id, {column} FROM {name} WHERE id IN ($1, $2) FOR {strength}");
                (text, vec![i64::from(*one), i64::from(*other)])
            }
            Kind::Update { first, last, value, returning } => {
                let condition = if first == last { "= $1 AND $1 <= $2" } else { "BETWEEN $1 AND $2" };
                let old = if *returning { ", old.value" } else { "" };
                let text = format!("UPDATE registers SET value = $3 WHERE id {condition} RETURNING id{old}");
                (text, vec![i64::from(*first), i64::from(*last), *value])
            }
            Kind::Upsert { register, value, returning } => {
                let old = if *returning { " RETURNING old.value" } else { "" };
                let action = "ON CONFLICT (id) DO UPDATE SET value = excluded.value";
                let text = format!("INSERT INTO registers VALUES ($1, $2, $3) {action}{old}");
                (text, vec![i64::from(*register), i64::from(register % GROUPS), *value])
            }
            Kind::Append { list, value, inserts, returning } => {
                let returned = if *returning { "id, old.body, new.body" } else { "id" };
                let text = match inserts {
                    true => format!(
                        "INSERT INTO lists VALUES ($1, $2, ',' || $3::bigint::text) ON CONFLICT (id) \
                         DO UPDATE SET body = lists.body || excluded.body RETURNING {returned}"
                    ),
                    false => format!(
                        "UPDATE lists SET grp = $2, body = body || ',' || $3::bigint::text WHERE id = $1 \
                         RETURNING {returned}"
                    ),
                };
                (text, vec![i64::from(*list), i64::from(list % GROUPS), *value])
            }
            Kind::AddEntry { list, value } => {
                let text = "INSERT INTO entries SELECT $1::bigint, coalesce(max(position), 0) + 1, $2::bigint, \
                            $3::bigint FROM entries WHERE list = $1";
                (text.to_owned(), vec![i64::from(*list), i64::from(list % GROUPS), *value])
            }
        }
    }

    /// Its text for a script, which has no parameters.
    pub(super) fn literal(&self) -> String {
        let (text, params) = self.sql();
        let numbered = params.iter().enumerate();
        numbered.fold(text, |text, (at, value)| text.replace(&format!("${}", at + 1), &value.to_string()))
    }

    /// Runs it in a transaction, and writes down what it was told.
    pub(super) async fn run(&self, client: &Client, shared: &Shared, index: usize) -> Result<(), Trouble> {
        shared.lock().send(index, self.writes());
        let (text, params) = self.sql();
        let params: Vec<&dyn ToSql> = params.iter().map(|value| value as &dyn ToSql).collect();
        let rows = client.query(&text, &params).await?;
        let numbers = shared.lock().numbers;
        let operations = self.operations(rows, numbers)?;
        shared.lock().answered(index, operations);
        Ok(())
    }

    /// What its answer says that it did.
    pub(super) fn operations(&self, rows: Rows, numbers: u32) -> Result<Vec<Operation>, Trouble> {
        match self {
            Kind::Read(object) => {
                let mut seen = Vec::new();
                for row in rows {
                    match object {
                        Object::List(number) if number % 2 == 0 => seen.extend(elements(&get::<String>(&row, 0)?)?),
                        _ => seen.push(get(&row, 0)?),
                    }
                }
                Ok(vec![Operation::read(*object, seen)])
            }
            Kind::ReadRange(first, last) => reads(rows, (*first..=*last).collect()),
            Kind::ReadGroup(group) => reads(rows, (0..numbers).filter(|number| number % GROUPS == *group).collect()),
            Kind::Lock(table, ids, _) => locks(*table, rows, *ids),
            Kind::Update { first, last, value, returning } => updates(rows, (*first, *last), *value, *returning),
            Kind::Upsert { register, value, returning } => {
                let object = Object::Register(*register);
                let mut operations = Vec::new();
                for row in rows.filter(|_| *returning) {
                    let old: Option<i64> = get(&row, 0)?;
                    operations.push(Operation::lock(object, Vec::from_iter(old)));
                }
                operations.push(Operation::write(object, *value));
                Ok(operations)
            }
            Kind::Append { list, value, returning, inserts } => {
                let object = Object::List(*list);
                let mut operations = Vec::new();
                for row in rows {
                    if *returning {
                        let old: Option<String> = get(&row, 1)?;
                        operations.push(Operation::lock(object, elements(&old.unwrap_or_default())?));
                    }
                    operations.push(Operation::write(object, *value));
                    if *returning {
                        operations.push(Operation::lock(object, elements(&get::<String>(&row, 2)?)?));
                    }
                }
                if operations.is_empty() && *inserts {
                    return Err(Violation::new("an INSERT ... ON CONFLICT DO UPDATE without a row").into());
                }
                if operations.is_empty() {
                    operations.push(Operation::read(object, []));
                }
                Ok(operations)
            }
            Kind::AddEntry { .. } => Ok(self.writes()),
        }
    }
}

/// Of objects that are in use now, mostly.
fn draw_number(client: &Client, shared: &Shared) -> u32 {
    let mut record = shared.lock();
    let oldest = (record.stats.commits / COMMITS_EACH) as u32;
    let number = match client.one_in(10) {
        true => client.below(u64::from(record.numbers)) as u32,
        false => oldest + client.below(u64::from(LIVE)) as u32,
    };
    // Lists in both encodings have numbers up to the next odd one.
    record.numbers = record.numbers.max(even(number) + 2);
    number
}

fn read_all(condition: &str, id: &str, list: &str) -> String {
    format!(
        "SELECT 0, id, value, 0::bigint, NULL::text FROM registers WHERE {id} {condition} \
         UNION ALL SELECT 1, id, 0, 0, body FROM lists WHERE {id} {condition} \
         UNION ALL SELECT 2, list, item, position, NULL FROM entries WHERE {list} {condition}"
    )
}

fn get<T: heliosdb::FromSql>(row: &Row, column: usize) -> Result<T, Trouble> {
    row.get(column).map_err(|error| Trouble::of(error, "reading a row"))
}

fn elements(body: &str) -> Result<Vec<i64>, Trouble> {
    let parsed: Result<Vec<i64>, _> = body.split(',').skip(1).map(str::parse).collect();
    Ok(parsed.map_err(|_| Violation::new(format!("a list holds \"{body}\"")))?)
}

/// What one statement shows of all objects with these numbers.
fn reads(rows: Rows, numbers: Vec<u32>) -> Result<Vec<Operation>, Trouble> {
    let both = numbers.into_iter().flat_map(|number| [Object::Register(number), Object::List(number)]);
    let mut seen: BTreeMap<Object, Vec<i64>> = both.map(|object| (object, Vec::new())).collect();
    let mut entries: BTreeMap<(Object, i64), i64> = BTreeMap::new();
    for row in rows {
        let (table, id): (i32, i64) = (get(&row, 0)?, get(&row, 1)?);
        let object = if table == 0 { Object::Register(id as u32) } else { Object::List(id as u32) };
        let is_right = table == 0 || (table == 1) == (id % 2 == 0);
        let Some(values) = seen.get_mut(&object).filter(|_| is_right) else {
            return Err(Violation::new(format!("a row of {object} in table {table} was not asked for")).into());
        };
        match table {
            0 => values.push(get(&row, 2)?),
            1 => values.extend(elements(&get::<String>(&row, 4)?)?),
            _ => {
                let position: i64 = get(&row, 3)?;
                if entries.insert((object, position), get(&row, 2)?).is_some() {
                    return Err(Violation::new(format!("two entries of {object} are at {position}")).into());
                }
            }
        }
    }
    for ((object, _), item) in entries {
        seen.entry(object).or_default().push(item);
    }
    Ok(seen.into_iter().map(|(object, seen)| Operation::read(object, seen)).collect())
}

/// What is locked is as it is now; what is not there was not there in the statement's snapshot.
fn locks(table: Table, rows: Rows, ids: [u32; 2]) -> Result<Vec<Operation>, Trouble> {
    let mut missing = Vec::from(ids);
    missing.dedup();
    let object = |number| match table {
        Table::Registers => Object::Register(number),
        Table::Lists => Object::List(number),
    };
    let mut operations = Vec::new();
    for row in rows {
        let number = get::<i64>(&row, 0)? as u32;
        if !missing.contains(&number) {
            return Err(Violation::new(format!("{number} was not to be locked, or twice: {ids:?}")).into());
        }
        missing.retain(|other| *other != number);
        let seen = match table {
            Table::Registers => vec![get(&row, 1)?],
            Table::Lists => elements(&get::<String>(&row, 1)?)?,
        };
        operations.push(Operation::lock(object(number), seen));
    }
    operations.extend(missing.into_iter().map(|number| Operation::read(object(number), [])));
    Ok(operations)
}

fn updates(rows: Rows, (first, last): (u32, u32), value: i64, returning: bool) -> Result<Vec<Operation>, Trouble> {
    let mut missing: Vec<u32> = (first..=last).collect();
    let mut operations = Vec::new();
    for row in rows {
        let number = get::<i64>(&row, 0)? as u32;
        if !missing.contains(&number) {
            return Err(Violation::new(format!("{number} was not to be updated, or twice: {first} to {last}")).into());
        }
        missing.retain(|other| *other != number);
        let object = Object::Register(number);
        if returning {
            operations.push(Operation::lock(object, vec![get(&row, 1)?]));
        }
        operations.push(Operation::write(object, value));
    }
    operations.extend(missing.into_iter().map(|number| Operation::read(Object::Register(number), [])));
    Ok(operations)
}

/// Everything, by keys and by the secondary indexes.
pub(super) async fn read_everything(connection: &Connection, numbers: u32) -> Result<Vec<Vec<Operation>>, Trouble> {
    let groups = (0..GROUPS).map(Kind::ReadGroup);
    let mut statements = Vec::new();
    for kind in std::iter::once(Kind::ReadRange(0, numbers - 1)).chain(groups) {
        let (text, params) = kind.sql();
        let params: Vec<&dyn ToSql> = params.iter().map(|value| value as &dyn ToSql).collect();
        let rows = connection.query_async(&text, &params).await.map_err(|error| Trouble::of(error, &text))?;
        statements.push(kind.operations(rows, numbers)?);
    }
    Ok(statements)
}
