//! Golden histories: each anomaly by its name, and its near misses.

use std::collections::BTreeSet;

use helios_isolation::{Anomaly, Golden, check, parse};

fn golden() -> Vec<(String, Golden)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("the golden histories are beside the tests")
        .map(|entry| entry.expect("a readable directory").path())
        .collect();
    files.sort();
    let read = |file: std::path::PathBuf| {
        let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let golden = parse(&text).unwrap_or_else(|error| panic!("{name}, {error}"));
        (name, golden)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn every_anomaly_has_its_name_and_every_near_miss_has_none() {
    let (mut verdicts, mut named, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for (name, Golden { history, expectations }) in golden() {
        assert!(!expectations.is_empty(), "{name} expects nothing");
        for (level, expected) in expectations {
            let verdict = check(&history, level);
            verdicts += 1;
            named.extend(verdict.findings.iter().map(|finding| finding.anomaly));
            if verdict.names() != expected {
                wrong.push(format!("{name}, {level}: expected {expected:?}, found {verdict}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    println!("{} golden histories, {verdicts} verdicts, {} anomalies", golden().len(), named.len());
    let missing: Vec<&str> = Anomaly::ALL.iter().filter(|it| !named.contains(it)).map(|it| it.name()).collect();
    assert!(missing.is_empty(), "no golden history shows {}", missing.join(", "));
}

#[test]
fn a_history_is_the_text_that_it_prints() {
    for (name, Golden { history, .. }) in golden() {
        let text = history.to_string();
        let again = parse(&text).unwrap_or_else(|error| panic!("{name}, {error}\n{text}"));
        assert_eq!(history, again.history, "{name}\n{text}");
    }
}

#[test]
fn a_cycle_is_told_edge_by_edge() {
    let text = include_str!("../golden/long-fork.txt");
    let golden = parse(text).expect("a golden history");
    let verdict = check(&golden.history, helios_isolation::Level::REPEATABLE_READ);
    let told = verdict.findings[0].to_string();
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    let edges = [
        "T3 -rw-> T2: T3 read r2 before anything was written to it, T2 wrote 1 over it",
        "T2 -wr-> T4: T2 wrote 1 to r2, T4 read it",
        "T4 -rw-> T1: T4 read r1 before anything was written to it, T1 wrote 1 over it",
        "T1 -wr-> T3: T1 wrote 1 to r1, T3 read it",
    ];
    assert_eq!(lines[0], "long fork");
    let begin = edges.iter().position(|edge| *edge == lines[1]).unwrap_or_else(|| panic!("{told}"));
    (0..4).for_each(|step| assert_eq!(lines[1 + step], edges[(begin + step) % 4], "{told}"));
    assert!(lines[5].starts_with('T') && lines[5].contains("committed: read"), "{told}");
}

/// Two lists of two transactions are in two orders, at the end of a chain so long that no search begins at all of it.
#[test]
fn a_plain_cycle_is_found_behind_thousands_of_edges() {
    const COUNT: usize = 2_100;
    let mut text = String::new();
    for number in 1..=COUNT {
        let (time, more) = match number {
            1 => ("3..4 ", String::new()),
            COUNT => ("1..2 ", format!("; append l2 {number}")),
            _ if number == COUNT - 1 => ("", format!("; append l2 {number}")),
            _ => ("", String::new()),
        };
        text += &format!("T{number} {time}committed: append l1 {number}{more}\n");
    }
    let all: Vec<String> = (1..=COUNT).map(|number| number.to_string()).collect();
    let last = COUNT + 1;
    text += &format!("T{last} committed: read l1 [{}] & read l2 [{COUNT} {}]", all.join(" "), COUNT - 1);
    let golden = parse(&text).expect("a history");
    let verdict = check(&golden.history, helios_isolation::Level::READ_COMMITTED.strict());
    assert_eq!(verdict.names(), BTreeSet::from(["G0".to_owned()]));
}
