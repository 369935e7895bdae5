//! A failing life as one HTML page that a person can read.
//!
//! A trace of a thousand lines says everything and shows nothing. The question that somebody has is always the same:
//! *this write was acknowledged, so where was it when the power failed?* The page answers it by moving through the
//! life, event by event, with the disk beside it as it was at that instant.
//!
//! ```text
//!   ┌ head ────────────────────────────────────────────────────────┐  workload, seed, violation, the command to replay
//!   ├ lanes ───────────────────────────────────────────────────────┤
//!   │ life        ▾ fault            ✖ power cut     ◆ violation   │  one lane per task and per kind of disk operation,
//!   │ disk writes    ▬▬ ▬▬▬                                        │  along simulated time or along events; an operation
//!   │ disk syncs         ▬▬▬▬                                      │  is a bar from its submission to its completion
//!   │ client 1    |  ||   |                                        │
//!   ├ slider ─────────────●────────────────────────────────────────┤  also the arrow keys
//!   ├ disk at this instant ────────────┬ events ───────────────────┤
//!   │ log      ■■■■▣▣▨                 │ searchable; each write    │  a cell is a sector: durable, cached only, under way,
//!   │ log.new  ■■                      │ says what became of it    │  torn, lost, damaged; it knows which write put it there
//!   └──────────────────────────────────┴───────────────────────────┘
//! ```
//!
//! The page is made of files beside this one, which the crate has in itself: `page.html` (the frame), `page.css`, and
//! the script: `model.js` works out what the disk held at every event and what became of every write, `page.js` draws
//! the head and the lanes, `explorer.js` the disk and the list, and moves. Data go in as JSON. Nothing else is needed
//! to read the page: no network, no other file, no server. A swarm leaves one in every bundle, `life.html`.
//!
//! # Where the picture comes from
//!
//! From a full trace ([`crate::TraceLevel::Full`]) and from nowhere else: the model is not a second file system that
//! might disagree with the first. The simulated disk tells the trace which change each write made, which sync covered
//! it, and what the power cut made of it down to the byte ([`crate::DiskEvent`]); names and lengths are told as they
//! are, after every change of them. What is left for the script is bookkeeping per sector: the last write that is
//! certain there, and the ones that are not.
//!
//! A lane is a place to draw at, chosen by what an event is about. Each direction between two nodes of the network has one,
//! and the states of their connections another; a world without connections has none of them.

mod data;

use crate::swarm::{Bundle, Life};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const MODEL: &str = include_str!("model.js");
const SCRIPT: &str = include_str!("page.js");
const EXPLORER: &str = include_str!("explorer.js");

/// The page of a life that was lived from `bundle` with its full trace (see [`crate::replay`]).
pub fn html(bundle: &Bundle, life: &Life) -> String {
    let title = match &life.result {
        Ok(_) => format!("{} seed {}: ended well", bundle.workload, bundle.seed),
        Err(violation) => format!("{} seed {}: {}", bundle.workload, bundle.seed, violation.message),
    };
    // Inside a script element only the end tag has a meaning, and no JSON needs "<" as it is.
    let data = data::of(bundle, life).to_string().replace('<', "\\u003c");
    let title = escaped(&title);
    let parts = [
        ("title", &*title),
        ("style", STYLE),
        ("data", &data),
        ("model", MODEL),
        ("script", SCRIPT),
        ("explorer", EXPLORER),
    ];
    let mut page = String::with_capacity(parts.iter().map(|(_, part)| part.len()).sum::<usize>() + PAGE.len());
    let mut rest = PAGE;
    for (place, part) in parts {
        let (before, after) =
            rest.split_once(&format!("{{{{{place}}}}}")).expect("the frame has these places, in order");
        page.extend([before, part]);
        rest = after;
    }
    page + rest
}

/// As text between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
