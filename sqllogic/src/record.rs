//! Writes what PostgreSQL answers into a script.
//!
//! A new script begins as a draft, `name.sql`: statements that end with `;` at the end of a line. A line `-- text` before
//! a statement is kept as its remark; a statement that is to fail begins with `!`; one that runs on another connection
//! than the first begins with `@name `. Recording writes `name.slt` beside it and the draft can go: the script itself can
//! be recorded again, and is from then on what is edited.
//!
//! A statement that fails though it should not, or the other way round, keeps the script from being written until the
//! surprise is accepted: it is looked at before it becomes what the engine is held to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sqllogictest::{Connection, DefaultColumnType, QueryExpect, Record, SortMode, StatementExpect, parse_with_name};
use sqllogictest::{DB, DBOutput};

use crate::peer::{Peer, Rendering};
use crate::place::Place;
use crate::script::SEPARATOR;

/// A statement whose answer is to be recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Item {
    remarks: Vec<String>,
    connection: Option<String>,
    sql: String,
    fails: bool,
    sort: Option<&'static str>,
}

/// Records a draft or a script; returns where the script is. `accept`: surprises are shown and written.
///
/// # Errors
///
/// When a file cannot be read, PostgreSQL cannot be reached, or an answer is not of the kind that was expected.
pub fn record(path: &Path, place: &Place, accept: bool) -> Result<PathBuf, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let items = match path.extension().and_then(|extension| extension.to_str()) {
        Some("sql") => draft(&text),
        _ => script(&text, path)?,
    };
    let room = place.room().map_err(|error| error.to_string())?;
    let mut peers: BTreeMap<Option<String>, Peer> = BTreeMap::new();
    let (mut recorded, mut surprises) = (String::new(), Vec::new());
    for item in &items {
        if !peers.contains_key(&item.connection) {
            let peer = room.peer(Rendering::Ours).map_err(|error| error.to_string())?;
            peers.insert(item.connection.clone(), peer);
        }
        let peer = peers.get_mut(&item.connection).expect("it was made if it was not there");
        let (answer, surprise) = answer(peer, item);
        surprises.extend(surprise);
        recorded.push_str(&answer);
        recorded.push('\n');
    }
    drop(peers);
    if !surprises.is_empty() {
        let list = format!("{}:\n{}", path.display(), surprises.join("\n\n"));
        if !accept {
            return Err(list);
        }
        eprintln!("{list}\n");
    }
    let path = path.with_extension("slt");
    std::fs::write(&path, recorded.trim_end().to_owned() + "\n").map_err(|error| error.to_string())?;
    Ok(path)
}

/// A record as it stands in a script, and what surprises in it.
fn answer(peer: &mut Peer, item: &Item) -> (String, Option<String>) {
    let mut out = String::new();
    for remark in &item.remarks {
        let _ = writeln!(out, "#{}{remark}", if remark.is_empty() { "" } else { " " });
    }
    if let Some(connection) = &item.connection {
        let _ = writeln!(out, "connection {connection}");
    }
    let sql = &item.sql;
    let answer = peer.run(sql);
    let surprise = match &answer {
        Ok(_) if item.fails => Some(format!("this was to fail and did not:\n{sql}")),
        Err(refusal) if !item.fails => Some(format!("{refusal}\n{sql}")),
        _ => None,
    };
    match answer {
        Err(refusal) => {
            let _ = writeln!(out, "statement error\n{sql}\n----\n{refusal}\n");
        }
        // A row of no columns has no line: the rows are counted.
        Ok(DBOutput::Rows { types, rows }) if types.is_empty() => {
            let _ = writeln!(out, "statement count {}\n{sql}", rows.len());
        }
        Ok(DBOutput::Rows { types, mut rows }) => {
            let _ = write!(out, "query {}", "T".repeat(types.len()));
            let sort = item.sort.unwrap_or(if rows.len() > 1 && !is_ordered(sql) { "rowsort" } else { "" });
            if sort == "rowsort" {
                rows.sort_unstable();
            }
            let _ = writeln!(out, "{}{sort}\n{sql}\n----", if sort.is_empty() { "" } else { " " });
            for row in rows {
                let _ = writeln!(out, "{}", row.join(SEPARATOR));
            }
        }
        Ok(DBOutput::StatementComplete(count)) if changes_rows(sql) => {
            let _ = writeln!(out, "statement count {count}\n{sql}");
        }
        Ok(_) => {
            let _ = writeln!(out, "statement ok\n{sql}");
        }
    }
    (out, surprise)
}

/// Whether the command tag's number says something.
fn changes_rows(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    matches!(word.as_str(), "insert" | "update" | "delete" | "with" | "merge")
}

/// Whether the rows come in an order that the statement asks for: an ORDER BY outside of parentheses.
fn is_ordered(sql: &str) -> bool {
    let (mut depth, mut outer) = (0_usize, String::new());
    for character in sql.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outer.push(character.to_ascii_lowercase()),
            _ => {}
        }
    }
    outer.split_whitespace().collect::<Vec<_>>().windows(2).any(|words| words == ["order", "by"])
}

fn draft(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut item = Item::default();
    for line in text.lines() {
        let line = line.trim_end();
        if item.sql.is_empty() {
            if let Some(remark) = line.strip_prefix("--") {
                item.remarks.push(remark.trim().to_owned());
                continue;
            }
            let mut line = line.trim_start();
            if let Some(marked) = line.strip_prefix('@') {
                let (name, rest) = marked.split_once(' ').unwrap_or((marked, ""));
                item.connection = Some(name.to_owned());
                line = rest;
            }
            if let Some(marked) = line.strip_prefix('!') {
                item.fails = true;
                line = marked.trim_start();
            }
            item.sql.push_str(line);
        } else if !line.is_empty() {
            item.sql.push('\n');
            item.sql.push_str(line);
        }
        if item.sql.ends_with(';') {
            item.sql.pop();
            items.push(std::mem::take(&mut item));
        }
    }
    items
}

fn script(text: &str, path: &Path) -> Result<Vec<Item>, String> {
    let records = parse_with_name::<DefaultColumnType>(text, path.to_string_lossy());
    let mut items = Vec::new();
    let mut remarks = Vec::new();
    let named = |connection| match connection {
        Connection::Default => None,
        Connection::Named(name) => Some(name),
    };
    for record in records.map_err(|error| error.to_string())? {
        match record {
            Record::Comment(lines) => remarks.extend(lines.iter().map(|line| line.trim().to_owned())),
            Record::Statement { connection, sql, expected, .. } => {
                let fails = matches!(expected, StatementExpect::Error(_));
                let remarks = std::mem::take(&mut remarks);
                items.push(Item { remarks, connection: named(connection), sql, fails, sort: None });
            }
            Record::Query { connection, sql, expected, .. } => {
                let (fails, sort) = match expected {
                    QueryExpect::Error(_) => (true, None),
                    QueryExpect::Results { sort_mode: Some(SortMode::RowSort), .. } => (false, Some("rowsort")),
                    QueryExpect::Results { .. } => (false, Some("")),
                };
                let remarks = std::mem::take(&mut remarks);
                items.push(Item { remarks, connection: named(connection), sql, fails, sort });
            }
            Record::Newline | Record::Connection(_) => {}
            other => return Err(format!("{}: cannot be recorded: {other}", path.display())),
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_statements_with_marks() {
        let items = draft("-- why\nselect 1,\n\n  2;\n\n! select;\n@other ! select 3;\n");
        let texts: Vec<_> = items.iter().map(|item| (item.sql.as_str(), item.fails)).collect();
        assert_eq!(texts, [("select 1,\n  2", false), ("select", true), ("select 3", true)]);
        assert_eq!(items[0].remarks, ["why"]);
        assert_eq!(items[2].connection.as_deref(), Some("other"));
    }

    #[test]
    fn only_an_outer_order_by_orders() {
        assert!(is_ordered("select a from t ORDER  BY a"));
        assert!(!is_ordered("select (select b from t order by b limit 1)"));
    }
}
