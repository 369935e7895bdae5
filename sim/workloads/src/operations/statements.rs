//! Statements over `items`: their text, and what they must do to a table that is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use helios_sim::Violation;
use heliosdb::{Row, Rows, ToSql};

use super::oracle::{Before, Change, Image, Items};
use crate::life::Client;
use crate::trouble::Trouble;

/// Keys are drawn from so few that transactions fight over them.
pub(super) const IDS: u64 = 40;
const GROUPS: u64 = 5;
const CODES: u64 = 30;

/// Which rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// By primary key.
    Id(i64),
    /// By a range of the primary key.
    Ids(i64, i64),
    /// By the leading column of a secondary index.
    Group(i64),
    /// By a unique index.
    Code(i64),
}

impl Which {
    pub(super) fn draw(client: &Client) -> Which {
        match client.below(8) {
            0..=3 => Which::Id(draw_id(client)),
            4 => {
                let first = draw_id(client);
                Which::Ids(first, first + client.below(6) as i64)
            }
            5 => Which::Group(client.below(GROUPS) as i64),
            _ => Which::Code(client.below(CODES) as i64),
        }
    }

    pub(super) fn condition(self) -> &'static str {
        match self {
            Which::Id(_) => "id = $1 AND $1 <= $2",
            Which::Ids(..) => "id BETWEEN $1 AND $2",
            Which::Group(_) => "grp = $1 AND $1 <= $2",
            Which::Code(_) => "code = $1 AND $1 <= $2",
        }
    }

    /// `$1` and `$2`.
    pub(super) fn bounds(self) -> [i64; 2] {
        match self {
            Which::Id(n) | Which::Group(n) | Which::Code(n) => [n, n],
            Which::Ids(first, last) => [first, last],
        }
    }

    pub(super) fn includes(self, id: i64, image: &Image) -> bool {
        match self {
            Which::Id(n) => id == n,
            Which::Ids(first, last) => (first..=last).contains(&id),
            Which::Group(n) => image.grp == n,
            Which::Code(n) => image.code == Some(n),
        }
    }

    /// The rows of a table that is known.
    pub(super) fn of(self, items: &Items) -> Items {
        items.iter().filter(|(id, image)| self.includes(**id, image)).map(|(id, image)| (*id, image.clone())).collect()
    }
}

fn draw_id(client: &Client) -> i64 {
    client.below(IDS) as i64
}

fn draw_image(client: &Client, writer: i64) -> Image {
    Image {
        grp: client.below(GROUPS) as i64,
        code: client.one_in(2).then(|| client.below(CODES) as i64),
        value: client.below(1_000) as i64,
        // Now and then longer than any sector: a commit that a power cut can tear.
        note: "n".repeat(client.below(if client.one_in(6) { 5_000 } else { 90 }) as usize),
        writer,
    }
}

/// A statement that writes, and its stamp.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) stamp: i64,
    pub(super) kind: Kind,
}

/// What it does.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Insert(Vec<(i64, Image)>),
    /// ON CONFLICT DO NOTHING.
    InsertNew(Vec<(i64, Image)>),
    /// ON CONFLICT (id) DO UPDATE.
    Upsert(i64, Image),
    /// The same, and nothing is left of what was there.
    Replace(i64, Image),
    Add(Which, i64),
    Regroup(Which, i64),
    Recode(Which, i64),
    /// Another primary key for a row.
    Move(i64, i64),
    Delete(Which),
}

const RETURNING: &str = " RETURNING id, grp, code, value, note, writer, previous";

impl Write {
    pub(super) fn draw(client: &Client, stamp: i64) -> Write {
        let rows = |client: &Client| -> Vec<(i64, Image)> {
            (0..1 + client.below(3)).map(|_| (draw_id(client), draw_image(client, stamp))).collect()
        };
        let kind = match client.below(18) {
            0..=3 => Kind::Insert(rows(client)),
            4..=5 => Kind::InsertNew(rows(client)),
            6..=7 => Kind::Upsert(draw_id(client), draw_image(client, stamp)),
            8..=10 => Kind::Add(Which::draw(client), 1 + client.below(9) as i64),
            11 => Kind::Regroup(Which::draw(client), client.below(GROUPS) as i64),
            12 => Kind::Recode(Which::Id(draw_id(client)), client.below(CODES) as i64),
            13..=15 => Kind::Move(draw_id(client), draw_id(client)),
            _ => Kind::Delete(Which::draw(client)),
        };
        Write { stamp, kind }
    }

    /// Runs the statement; what it says that it did.
    pub(super) async fn run(self, client: &Client) -> Result<Vec<Change>, Trouble> {
        let stamp = self.stamp;
        let rows = match &self.kind {
            Kind::Insert(rows) => insert(client, rows, "").await?,
            Kind::InsertNew(rows) => insert(client, rows, " ON CONFLICT DO NOTHING").await?,
            Kind::Upsert(id, image) => {
                let action = " ON CONFLICT (id) DO UPDATE SET value = items.value + excluded.value, \
                              note = excluded.note, writer = excluded.writer, previous = items.writer";
                insert(client, &[(*id, image.clone())], action).await?
            }
            Kind::Replace(id, image) => {
                let action = " ON CONFLICT (id) DO UPDATE SET grp = excluded.grp, code = excluded.code, \
                              value = excluded.value, note = excluded.note, writer = excluded.writer, \
                              previous = items.writer";
                insert(client, &[(*id, image.clone())], action).await?
            }
            Kind::Add(which, delta) => update(client, *which, "value = value + $3", *delta, stamp).await?,
            Kind::Regroup(which, grp) => update(client, *which, "grp = $3", *grp, stamp).await?,
            Kind::Recode(which, code) => update(client, *which, "code = $3", *code, stamp).await?,
            Kind::Move(from, to) => update(client, Which::Id(*from), "id = $3", *to, stamp).await?,
            Kind::Delete(which) => {
                let sql = format!("DELETE FROM items WHERE {}{RETURNING}", which.condition());
                let [first, last] = which.bounds();
                client.query(&sql, &[&first, &last]).await?
            }
        };
        self.changes(rows)
    }

    fn changes(self, rows: Rows) -> Result<Vec<Change>, Trouble> {
        let write = Arc::new(self);
        let mut changes = Vec::new();
        for row in rows {
            let (id, image) = row_at(&row, 0)?.ok_or_else(|| Violation::new("RETURNING a row without a key"))?;
            let previous: Option<i64> = row.get(6).map_err(|error| Trouble::of(error, RETURNING))?;
            let mut change = |id, before, after| changes.push(Change { id, before, after, write: write.clone() });
            let before = previous.map_or(Before::Absent, Before::WrittenBy);
            match write.kind {
                Kind::Delete(_) => change(id, Before::Was(image), None),
                Kind::Move(from, to) if from != to => {
                    change(from, before, None);
                    change(id, Before::Absent, Some(image));
                }
                _ => change(id, before, Some(image)),
            }
        }
        Ok(changes)
    }

    /// The keys that it must touch in `items`, if that is known: a statement that may meet rows that `items` does not have
    /// is not.
    pub(super) fn predicted(&self, items: &Items) -> Option<BTreeSet<i64>> {
        match &self.kind {
            Kind::Insert(_) | Kind::InsertNew(_) | Kind::Upsert(..) | Kind::Replace(..) => None,
            Kind::Add(which, _) | Kind::Regroup(which, _) | Kind::Recode(which, _) | Kind::Delete(which) => {
                Some(which.of(items).into_keys().collect())
            }
            Kind::Move(from, to) if items.contains_key(from) => Some([*from, *to].into()),
            Kind::Move(..) => Some(BTreeSet::new()),
        }
    }

    /// Whether this statement makes `after` of `before`.
    pub(super) fn explains(&self, id: i64, before: Option<&Image>, after: Option<&Image>) -> bool {
        let with = |change: &dyn Fn(&mut Image)| {
            before.cloned().map(|mut image| {
                image.writer = self.stamp;
                change(&mut image);
                image
            })
        };
        let is_one_of = |rows: &[(i64, Image)]| rows.iter().any(|(other, image)| *other == id && Some(image) == after);
        let selected = |which: &Which| before.is_some_and(|image| which.includes(id, image));
        match &self.kind {
            Kind::Insert(rows) | Kind::InsertNew(rows) => before.is_none() && is_one_of(rows),
            Kind::Upsert(other, image) | Kind::Replace(other, image) if before.is_none() => {
                *other == id && Some(image) == after
            }
            Kind::Upsert(other, image) => {
                let add = |old: &mut Image| {
                    old.value += image.value;
                    old.note.clone_from(&image.note);
                };
                *other == id && with(&add).as_ref() == after
            }
            Kind::Replace(other, image) => *other == id && Some(image) == after,
            Kind::Add(which, delta) => selected(which) && with(&|image| image.value += delta).as_ref() == after,
            Kind::Regroup(which, grp) => selected(which) && with(&|image| image.grp = *grp).as_ref() == after,
            Kind::Recode(which, code) => selected(which) && with(&|image| image.code = Some(*code)).as_ref() == after,
            Kind::Move(from, to) if from == to => with(&|_| ()).as_ref() == after,
            Kind::Move(from, to) if before.is_some() => *from == id && after.is_none() && from != to,
            Kind::Move(_, to) => *to == id && after.is_some(),
            Kind::Delete(which) => selected(which) && after.is_none(),
        }
    }
}

async fn insert(client: &Client, rows: &[(i64, Image)], on_conflict: &str) -> Result<Rows, Trouble> {
    let mut sql = "INSERT INTO items (id, grp, code, value, note, writer) VALUES ".to_owned();
    let mut params: Vec<&dyn ToSql> = Vec::new();
    for (number, (id, image)) in rows.iter().enumerate() {
        let comma = if number > 0 { ", " } else { "" };
        let [a, b, c, d, e, f] = [1, 2, 3, 4, 5, 6].map(|n| number * 6 + n);
        sql.push_str(&format!("{comma}(${a}, ${b}, ${c}, ${d}, ${e}, ${f})"));
        params.extend([id as &dyn ToSql, &image.grp, &image.code, &image.value, &image.note, &image.writer]);
    }
    sql.push_str(on_conflict);
    sql.push_str(RETURNING);
    client.query(&sql, &params).await
}

async fn update(client: &Client, which: Which, assignment: &str, value: i64, stamp: i64) -> Result<Rows, Trouble> {
    let condition = which.condition();
    let sql = format!("UPDATE items SET {assignment}, previous = writer, writer = $4 WHERE {condition}{RETURNING}");
    let [first, last] = which.bounds();
    client.query(&sql, &[&first, &last, &value, &stamp]).await
}

/// A row of `items`, whose columns begin at `first`; none if its key is null.
pub(super) fn row_at(row: &Row, first: usize) -> Result<Option<(i64, Image)>, Trouble> {
    let read = || -> heliosdb::Result<Option<(i64, Image)>> {
        let Some(id) = row.get::<_, Option<i64>>(first)? else { return Ok(None) };
        let image = Image {
            grp: row.get(first + 1)?,
            code: row.get(first + 2)?,
            value: row.get(first + 3)?,
            note: row.get(first + 4)?,
            writer: row.get(first + 5)?,
        };
        Ok(Some((id, image)))
    };
    read().map_err(|error| Trouble::of(error, "reading a row"))
}
