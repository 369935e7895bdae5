//! A life as the JSON that the page's script reads: `{ head, events }`, with every event's kind in `k`.

use serde_json::{Value, json};

use crate::disk::{DiskEvent, Fate, FilePicture, SECTOR};
use crate::faults::{Class, FaultKind};
use crate::swarm::{Bundle, Life};
use crate::trace::{Entry, Event};

pub(super) fn of(bundle: &Bundle, life: &Life) -> Value {
    let (violation, context, ended) = match &life.result {
        Ok(stats) => (None, &[][..], Some(json!({ "commits": stats.commits, "checks": stats.checks }))),
        Err(violation) => (Some(&violation.message), &violation.context[..], None),
    };
    let faults: Vec<Value> = life.faults.fired().map(|(kind, count)| json!([kind.name(), count])).collect();
    let events: Vec<Value> = life.trace.iter().filter(|entry| !says_nothing(&entry.event)).map(entry).collect();
    json!({
        "head": {
            "workload": bundle.workload,
            "seed": bundle.seed,
            "command": bundle.command,
            "violation": violation,
            "context": context,
            "ended": ended,
            "trace_hash": format!("{:016x}", life.trace_hash),
            "faults": faults,
            "sector": SECTOR,
        },
        "events": events,
    })
}

fn says_nothing(event: &Event) -> bool {
    match event {
        Event::Disk { event: DiskEvent::Durable(seqs) | DiskEvent::Dropped(seqs), .. } => seqs.is_empty(),
        _ => false,
    }
}

fn entry(Entry { at, event }: &Entry) -> Value {
    let mut value = match event {
        Event::Spawn { node, task, name } => json!({ "k": "spawn", "node": node, "task": task, "name": name }),
        Event::Poll { task, name } => json!({ "k": "poll", "task": task, "name": name }),
        Event::End { task } => json!({ "k": "end", "task": task }),
        Event::Io { node, operation, path, ino, task, began, offset, len, result, data: _ } => json!({
            "k": "io", "node": node, "op": operation, "path": &**path, "ino": ino, "task": task, "began": began.0,
            "offset": offset, "len": len, "result": result,
        }),
        Event::Segment { connection, from, to, what, began, seq, len, fate, data: _ } => json!({
            "k": "segment", "connection": connection, "from": from, "to": to, "what": what, "began": began.0,
            "seq": seq, "len": len, "fate": fate,
        }),
        Event::Connection { connection, node, what } => {
            json!({ "k": "connection", "connection": connection, "node": node, "what": what })
        }
        Event::Fault(kind) => json!({
            "k": "fault", "fault": kind.name(), "owes": owes(*kind), "network": kind.is_of_network(),
        }),
        Event::Crash { node, kind, changes, kept } => {
            json!({ "k": "crash", "node": node, "crash": kind.name(), "changes": changes, "kept": kept })
        }
        Event::Fate { change, fate } => json!({ "k": "fate", "change": &**change, "fate": words(*fate) }),
        Event::Mark(mark) => json!({ "k": "mark", "text": mark }),
        Event::Buggify(site) => json!({ "k": "buggify", "text": site }),
        Event::Note(note) => json!({ "k": "note", "text": &**note }),
        Event::Disk { node, event } => disk(*node, event),
    };
    value["t"] = at.0.into();
    value
}

fn disk(node: usize, event: &DiskEvent) -> Value {
    match event {
        DiskEvent::Files(files) => {
            let files: Vec<Value> = files.iter().map(file).collect();
            json!({ "k": "files", "node": node, "files": files })
        }
        DiskEvent::Submitted { write, task, ino, offset, len } => {
            json!({ "k": "submit", "node": node, "write": write, "task": task, "ino": ino, "offset": offset, "len": len })
        }
        DiskEvent::Landed { write } => json!({ "k": "land", "node": node, "write": write }),
        DiskEvent::Changed { seq, ino, what, offset, len, name } => json!({
            "k": "change", "node": node, "seq": seq, "ino": ino, "what": what,
            "offset": offset, "len": len, "name": &**name,
        }),
        DiskEvent::Length { ino, cached, durable } => {
            json!({ "k": "length", "node": node, "ino": ino, "cached": cached, "durable": durable })
        }
        DiskEvent::Durable(seqs) => json!({ "k": "durable", "node": node, "seqs": seqs }),
        DiskEvent::Dropped(seqs) => json!({ "k": "dropped", "node": node, "seqs": seqs }),
        DiskEvent::Resolved { seq, fate, kept } => {
            let short = match fate {
                Fate::Kept => "kept",
                Fate::Lost => "lost",
                Fate::BothNames => "half done",
                _ => "torn",
            };
            json!({ "k": "resolve", "node": node, "seq": seq, "fate": short, "words": words(*fate), "kept": kept })
        }
        DiskEvent::Damaged { ino, sector, readable } => {
            json!({ "k": "damage", "node": node, "ino": ino, "sector": sector, "readable": readable })
        }
        DiskEvent::Healed => json!({ "k": "heal", "node": node }),
    }
}

fn file(file: &FilePicture) -> Value {
    json!({
        "ino": file.ino, "cached": file.cached_path, "durable": file.durable_path,
        "cached_len": file.cached_len, "durable_len": file.durable_len,
    })
}

fn words(fate: Fate) -> String {
    match fate {
        Fate::Kept => "kept".to_owned(),
        Fate::Lost => "lost".to_owned(),
        Fate::Prefix(cut) => format!("torn: only its first {cut} units are there"),
        Fate::Suffix(cut) => format!("torn: its first {cut} units are missing"),
        Fate::Scattered(_) => "torn: some of its units are there, others not".to_owned(),
        Fate::LengthOnly => "torn: the file has grown, its new bytes are zeros".to_owned(),
        Fate::BothNames => "half done: the file has both names".to_owned(),
    }
}

fn owes(kind: FaultKind) -> &'static str {
    match kind.class() {
        Class::Recoverable => "the program must succeed in the end",
        Class::FatalUntilReopened => "the program must refuse commits until it is reopened",
        Class::Detectable => "the program must report it and never answer wrongly",
    }
}
