//! What no driver would ever send, and what people send all the time by mistake: the same bytes as PostgreSQL 18 was
//! sent, and the same answers.
//!
//! Each case is a list of bytes for one connection. `answers.txt` holds what PostgreSQL 18 answered. With
//! `HELIOS_REFERENCE_URI` set the answers are asked for again, and with `HELIOS_RECORD` as well they are written down.

mod cases;
mod raw;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use helios_server::AuthMethod;

use cases::cases;
use raw::{Served, answer};

fn answers_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input/answers.txt")
}

/// `## case` and, below it, a line for each message.
fn recorded() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(answers_file()).expect("the recorded answers are part of the project");
    let mut all = BTreeMap::new();
    for part in text.split("## ").skip(1) {
        let mut lines = part.lines();
        let name = lines.next().expect("a part has a first line").to_owned();
        all.insert(name, lines.filter(|line| !line.is_empty()).map(str::to_owned).collect());
    }
    all
}

fn all_answers(address: SocketAddr) -> Vec<(String, Vec<String>)> {
    cases()
        .into_iter()
        .map(|(name, bytes)| {
            println!("{name}");
            (name.to_owned(), answer(address, &bytes))
        })
        .collect()
}

fn compare(who: &str, answers: Vec<(String, Vec<String>)>) {
    let recorded = recorded();
    let mut differences = String::new();
    for (name, said) in answers {
        let expected = recorded.get(&name).unwrap_or_else(|| panic!("no answer is recorded for {name:?}"));
        if *expected != said {
            let _ = writeln!(differences, "## {name}\nPostgreSQL 18: {expected:#?}\n{who}: {said:#?}");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn the_same_bytes_get_postgresql_s_answers() {
    let served = Served::start(AuthMethod::Trust);
    compare("HeliosDB", all_answers(served.address()));
}

#[test]
fn postgresql_still_answers_as_recorded() {
    let Ok(uri) = std::env::var("HELIOS_REFERENCE_URI") else {
        println!("skipped: HELIOS_REFERENCE_URI is not set");
        return;
    };
    let place = uri.rsplit_once('@').map_or(uri.as_str(), |(_, place)| place);
    let address = place.split('/').next().and_then(|place| place.parse().ok()).expect("host:port, by number");
    let answers = all_answers(address);
    if std::env::var_os("HELIOS_RECORD").is_some() {
        let mut text = String::from("What PostgreSQL 18 answered to the cases in cases.rs.\n");
        for (name, said) in &answers {
            let _ = write!(text, "\n## {name}\n{}\n", said.join("\n"));
        }
        std::fs::write(answers_file(), text).expect("the folder is writable");
    }
    compare("the reference", answers);
}

#[test]
fn other_protocols_are_refused_by_number() {
    let served = Served::start(AuthMethod::Trust);
    for major in [1, 2, 4] {
        let said = answer(served.address(), &cases::startup_of(major << 16, &[("user", "postgres")]));
        let expected = format!("FATAL 0A000 unsupported frontend protocol {major}.0: server supports 3.0 to 3.0");
        assert_eq!(said, [expected]);
    }
}

/// PostgreSQL refuses this with its default `max_stack_depth`; people write it all the same.
#[test]
fn five_thousand_operators_in_a_chain() {
    let served = Served::start(AuthMethod::Trust);
    let bytes = [cases::startup(&[("user", "postgres")]), cases::query(&format!("select 1{}", "+1".repeat(5_000)))];
    assert!(answer(served.address(), &bytes.concat()).contains(&"D 5001".to_owned()));
}

#[test]
fn one_byte_at_a_time() {
    let served = Served::start(AuthMethod::Trust);
    let bytes = [cases::startup(&[("user", "postgres")]), cases::query("select 1")].concat();
    let at_once = answer(served.address(), &bytes);
    let mut client = raw::connect(served.address());
    for byte in bytes {
        raw::send(&mut client, &[byte]);
    }
    assert_eq!(raw::read_all(client), at_once);
}

#[test]
fn a_client_that_disappears_leaves_no_lock() {
    let served = Served::start(AuthMethod::Trust);
    let session = |sql: &str| {
        let bytes = [cases::startup(&[("user", "postgres")]), cases::query(sql)].concat();
        answer(served.address(), &bytes)
    };
    session("create table t (a int primary key, b int); insert into t values (1, 1)");
    for rest in [&b""[..], b"Q", b"Q\0\0", b"Q\0\0\0\x20select", b"P\0\0\x10\0", b"\x7f"] {
        let mut gone = raw::connect(served.address());
        let update = cases::query("begin; update t set b = b + 1 where a = 1");
        raw::send(&mut gone, &[cases::startup(&[("user", "postgres")]), update, rest.to_vec()].concat());
        raw::wait_for_update(&mut gone);
        drop(gone);
        let after = session("set lock_timeout = '10s'; update t set b = b where a = 1 returning b");
        assert!(after.contains(&"D 1".to_owned()), "{rest:?}: {after:?}");
    }
}

#[test]
fn a_wrong_password_is_refused_and_a_stranger_cannot_tell_that_he_is_one() {
    let served = Served::start(AuthMethod::Scram);
    let login = |user: &str| {
        let mut config = postgres::Config::new();
        config.host("127.0.0.1").port(served.address().port()).user(user).dbname("postgres").password("a guess");
        config.connect(postgres::NoTls).map(|_| ()).expect_err("a guess is no password")
    };
    for user in ["postgres", "nobody"] {
        let error = login(user);
        let said = error.as_db_error().expect("the server says so");
        assert_eq!(said.code().code(), "28P01");
        assert_eq!(said.severity(), "FATAL");
        assert_eq!(said.message(), format!("password authentication failed for user \"{user}\""));
    }
}

#[test]
fn malformed_passwords_are_refused() {
    let served = Served::start(AuthMethod::Scram);
    let attempts: [&[u8]; 6] = [
        b"",
        b"SCRAM-SHA-256\0",
        b"SCRAM-SHA-256\0\0\0\0\x05n,,n=",
        b"PLAIN\0\0\0\0\0",
        b"SCRAM-SHA-256\0\0\0\0\x03\xff\xfe\xfd",
        b"SCRAM-SHA-256\0\x7f\xff\xff\xff",
    ];
    for attempt in attempts {
        let bytes = [cases::startup(&[("user", "postgres")]), cases::message(b'p', attempt)].concat();
        let said = answer(served.address(), &bytes);
        assert!(
            said.iter().any(|line| line.starts_with("FATAL") || line.starts_with("ERROR")),
            "{attempt:?}: {said:?}"
        );
        assert!(!said.iter().any(|line| line.starts_with('Z')), "{attempt:?}: {said:?}");
    }
}
