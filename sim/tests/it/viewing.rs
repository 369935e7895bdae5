//! The page of a failing life: complete in itself, true to the trace, and readable in a real browser.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use helios_sim::{
    Bundle, Choices, DiskEvent, Event, FaultKind, Life, Stats, Swarm, TraceLevel, Violation, Workload, World, live,
    replay, swarm, viewer,
};
use serde_json::Value;

use crate::store::{Bug, Puts};

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary directory is writable")
}

/// A store with `bug` fails in a swarm; its shrunk life, replayed from the bundle that the swarm left.
fn failing_life(bug: Bug, bundles: &Path) -> (Bundle, Life) {
    let workload = Puts::new(bug);
    let config =
        Swarm { bundles: bundles.to_owned(), shrink_for: Duration::from_secs(1), ..Swarm::new("view", 0..2_000) };
    let report = swarm(&config, &workload);
    let failure = report.failures.first().unwrap_or_else(|| panic!("{bug:?} survives {} seeds", report.seeds));
    let bundle = Bundle::read(failure.bundle.as_ref().expect("the directory is writable")).expect("just written");
    let life = replay(&workload, &bundle, true);
    let page = failure.bundle.as_ref().expect("the directory is writable").join("life.html");
    let page = std::fs::read_to_string(page).expect("every bundle has its page");
    assert!(page == viewer::html(&bundle, &life), "the bundle holds another life than its replay");
    (bundle, life)
}

/// The data that a page carries.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).expect("the page carries data");
    let (json, _) = rest.split_once("</script>").expect("the data end");
    serde_json::from_str(json).expect("the data are JSON")
}

fn of_kind<'a>(data: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    data["events"].as_array().expect("a list").iter().filter(move |event| event["k"] == kind)
}

#[test]
fn the_page_holds_the_whole_life_and_needs_nothing_else() {
    let bundles = scratch();
    let (bundle, life) = failing_life(Bug::NoSync, bundles.path());
    let page = viewer::html(&bundle, &life);
    let data = data(&page);

    let violation = life.result.as_ref().expect_err("the bundle fails again");
    assert_eq!(data["head"]["violation"], violation.message);
    assert_eq!(data["head"]["workload"], "puts");
    assert_eq!(data["head"]["seed"], bundle.seed);
    let command = data["head"]["command"].as_str().expect("a text");
    assert!(command.starts_with("helios sim replay ") && command.contains("view-puts-"), "{command}");
    let title = format!("<title>puts seed {}: {}</title>", bundle.seed, violation.message);
    assert!(page.contains(&title), "the page has another title than {title}");

    let in_trace = |wanted: fn(&Event) -> bool| life.trace.iter().filter(|entry| wanted(&entry.event)).count();
    assert_eq!(of_kind(&data, "io").count(), in_trace(|event| matches!(event, Event::Io { .. })));
    assert_eq!(of_kind(&data, "poll").count(), in_trace(|event| matches!(event, Event::Poll { .. })));
    assert_eq!(of_kind(&data, "crash").count(), in_trace(|event| matches!(event, Event::Crash { .. })));
    assert!(of_kind(&data, "resolve").any(|event| event["fate"] != "kept"), "a store that never syncs loses something");
    assert!(
        of_kind(&data, "note").any(|event| event["text"].as_str().is_some_and(|text| text.contains("acknowledged")))
    );

    for outside in ["http:", "https:", "src=", "<link", "@import", "url(", "fetch(", "{{"] {
        let (head, tail) = (page.find(r#"id="data""#).expect("it is there"), page.rfind("</script>\n<script>"));
        let own = [&page[..head], &page[tail.expect("it is there")..]].concat();
        assert!(!own.contains(outside), "the page has {outside}");
    }
    for (open, close) in [("<script", "</script>"), ("<section", "</section>"), ("<div", "</div>")] {
        assert_eq!(page.matches(open).count(), page.matches(close).count(), "{open}");
    }
}

/// What the map is drawn from: each change is made once and settled at most once, by a sync or by a crash.
#[test]
fn a_full_trace_tells_what_became_of_every_change() {
    for (bug, seed) in Bug::ALL.into_iter().flat_map(|bug| (0..20).map(move |seed| (bug, seed))) {
        let life = live(&Puts::new(bug), Choices::seeded(seed), TraceLevel::Full);
        let (mut submitted, mut landed) = (BTreeSet::new(), BTreeSet::new());
        let (mut open, mut resolved) = (BTreeMap::new(), 0);
        for entry in &life.trace {
            match &entry.event {
                Event::Disk { event: DiskEvent::Changed { seq, ino, what, .. }, .. } => {
                    assert_eq!(open.insert(*seq, (*ino, *what)), None, "{seq} is told twice");
                }
                // A file that is freed takes its changes along.
                Event::Disk { event: DiskEvent::Files(files), .. } => open.retain(|_, (ino, what)| {
                    ["create", "remove", "rename"].contains(what) || files.iter().any(|file| file.ino == *ino)
                }),
                Event::Disk { event: DiskEvent::Durable(seqs) | DiskEvent::Dropped(seqs), .. } => {
                    seqs.iter().for_each(|seq| assert!(open.remove(seq).is_some(), "{seq} was not pending"));
                }
                Event::Disk { event: DiskEvent::Resolved { seq, .. }, .. } => {
                    assert!(open.remove(seq).is_some(), "{seq} was not pending");
                    resolved += 1;
                }
                Event::Disk { event: DiskEvent::Submitted { write, .. }, .. } => assert!(submitted.insert(*write)),
                Event::Disk { event: DiskEvent::Landed { write }, .. } => {
                    assert!(submitted.contains(write) && landed.insert(*write), "write {write} lands out of nowhere");
                }
                Event::Crash { kind: FaultKind::PowerCut, changes, .. } => {
                    assert_eq!((resolved, open.len()), (*changes, 0), "{bug:?}, seed {seed}");
                    resolved = 0;
                }
                _ => {}
            }
        }
    }
}

/// Notes that would end the script, or fill a place of the frame.
struct Hostile;

const HOSTILE: &str = "</script><b>{{script}}{{data}} & \u{2028}";

impl Workload for Hostile {
    fn name(&self) -> &str {
        "hostile"
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        world.note(HOSTILE);
        Err(Violation::new(HOSTILE).with(HOSTILE))
    }
}

#[test]
fn whatever_a_workload_says_stays_text() {
    let life = live(&Hostile, Choices::seeded(1), TraceLevel::Full);
    let log = life.decisions.clone();
    let bundle =
        Bundle { workload: "hostile".into(), seed: 1, command: "replay".into(), decisions: log.clone(), minimal: log };
    let page = viewer::html(&bundle, &life);
    let data = data(&page);
    assert_eq!(data["head"]["violation"], HOSTILE);
    assert_eq!(data["head"]["context"][0], HOSTILE);
    assert!(of_kind(&data, "note").any(|note| note["text"] == HOSTILE));
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<b>"));
}

/// Before the page's own script: catches its errors. They end up where the driver looks.
const WATCH: &str =
    "<script>window.failures = []; window.addEventListener('error', e => failures.push(e.message));</script>";

/// After it: moves through the life as a person would.
const DRIVE: &str = include_str!("viewing.js");

/// What a headless Chromium makes of a page, driven: what it wrote down. None where there is no Chromium.
fn in_a_browser(page: &str) -> Option<Value> {
    let directory = scratch();
    let file = directory.path().join("page.html");
    let driven = page.replacen("<head>", &format!("<head>{WATCH}"), 1).replacen(
        "</body>",
        &format!("<script>{DRIVE}</script></body>"),
        1,
    );
    std::fs::write(&file, driven).expect("the temporary directory is writable");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", directory.path().join("profile").display()))
        .args(["--window-size=1600,1000", "--timeout=30000", "--dump-dom"])
        .arg(format!("file://{}", file.display()))
        .stderr(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("chromium does not start: {error}"),
    };
    let dom = String::from_utf8(output.stdout).expect("a page is UTF-8");
    let (_, rest) = dom.split_once(r#"<pre id="seen">"#).unwrap_or_else(|| panic!("the page broke off: {dom:.2000}"));
    let (seen, _) = rest.split_once("</pre>").expect("the element ends");
    let seen = seen.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    Some(serde_json::from_str(&seen).expect("the driver writes JSON"))
}

#[test]
fn a_browser_shows_the_life() {
    for bug in [Bug::NoSync, Bug::NoSyncDir, Bug::IgnoresShortWrite, Bug::RetriesFailedSync] {
        let bundles = scratch();
        let (bundle, life) = failing_life(bug, bundles.path());
        let page = viewer::html(&bundle, &life);
        let Some(seen) = in_a_browser(&page) else {
            println!("SKIPPED: there is no chromium on the PATH, so no page was opened");
            return;
        };
        let violation = life.result.expect_err("the bundle fails again").message;
        assert_eq!(seen["failures"], Value::Array(Vec::new()), "{bug:?}: errors of the script");
        assert_eq!(seen["violation"], violation, "{bug:?}");
        let lanes: Vec<&str> = seen["lanes"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let mut expected = vec!["trouble", "notes", "disk 0 write", "disk 0 sync", "disk 0 names", "disk 0 read"];
        expected.extend(["task 0:main:0", "task 0:client:0", "task 0:client:1", "task 0:client:2"]);
        assert_eq!(lanes, expected, "{bug:?}");
        assert_eq!([&seen["home"], &seen["stepped"], &seen["slid"]], [1, 2, 5], "{bug:?}");
        let end = seen["end"].as_str().expect("a text");
        assert!(end.contains("VIOLATION") && end.contains(&violation), "{bug:?}: {end}");
        let crashes = life.trace.iter().any(|entry| matches!(entry.event, Event::Crash { .. }));
        assert_eq!(seen["crash"].as_str().is_some_and(|crash| crash.contains("CRASH")), crashes, "{bug:?}: {seen}");
        assert_eq!((&seen["drawn"], &seen["all_match"]), (&Value::Bool(true), &Value::Bool(true)), "{bug:?}");
        if bug == Bug::NoSync {
            let count = |name: &str| seen[name].as_u64().expect("a number");
            assert!(count("lost_cells") > 0 && count("cached_cells") > 0 && count("found") > 0, "{seen}");
        }
        println!("{bug:?}: {} lanes, begins at #{}, {violation}", lanes.len(), seen["began"]);
    }
}
