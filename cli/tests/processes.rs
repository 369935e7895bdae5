//! The binary as people run it: a process with a data directory, signals, a lock, and a kernel that may forbid things.

use std::time::Duration;

use helios_chaos::bank::Size;
use helios_chaos::process::Binary;
use helios_chaos::{forbid, kill};

fn binary() -> Binary {
    Binary::at(env!("CARGO_BIN_EXE_helios"))
}

#[test]
fn killed_under_load_it_keeps_what_it_acknowledged() -> Result<(), String> {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let plan = kill::Plan {
        rounds: 4,
        clients: 4,
        size: Size { accounts: 2000 },
        seed: 7,
        load_max: Duration::from_millis(500),
        // An unoptimized binary on a busy machine; `just chaos-kill` holds the real one to a second.
        answer_max: Duration::from_secs(20),
    };
    println!("{}", kill::run(&binary(), directory.path(), plan)?);
    Ok(())
}

#[test]
fn where_io_uring_is_forbidden_it_does_without_and_says_so_once() -> Result<(), String> {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let server = binary().serve_with(directory.path(), forbid::io_uring).listening()?;
    let mut client = server.connect().map_err(|error| error.to_string())?;
    client.batch_execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").map_err(|error| error.to_string())?;
    drop(client);
    let (status, said) = server.terminate()?;
    assert!(status.success(), "{status}: {said:?}");
    let opened: Vec<_> = said.iter().filter(|line| line.contains("Portable") || line.contains("Uring")).collect();
    assert!(matches!(opened[..], [line] if line.contains("Portable") && line.contains("io_uring")), "{said:?}");
    // The format is the same whichever way it was written.
    let server = binary().serve(directory.path()).listening()?;
    let mut client = server.connect().map_err(|error| error.to_string())?;
    let found: i32 = client.query_one("SELECT a FROM t", &[]).map_err(|error| error.to_string())?.get(0);
    assert_eq!(found, 1);
    Ok(())
}

#[test]
fn a_second_process_on_the_directory_is_refused() -> Result<(), String> {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let first = binary().serve(directory.path()).listening()?;
    let (status, said) = binary().serve(directory.path()).refused()?;
    assert_eq!(status.code(), Some(1));
    let said = said.join("\n");
    assert!(said.contains("is in use by another process"), "{said}");
    assert!(said.contains(&directory.path().display().to_string()), "{said}");
    let verified = binary().verify(directory.path()).expect_err("verify wants the directory for itself too");
    assert!(verified.contains("is in use by another process"), "{verified}");
    // The first is none the worse for it, and a lock does not outlive the process that held it.
    first.connect().and_then(|mut client| client.batch_execute("SELECT 1")).map_err(|error| error.to_string())?;
    first.kill();
    binary().serve(directory.path()).listening()?;
    Ok(())
}

#[test]
fn told_to_stop_it_says_goodbye_and_leaves_nothing_to_recover() -> Result<(), String> {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let server = binary().serve(directory.path()).listening()?;
    let text = |error: postgres::Error| error.to_string();
    let mut idle = server.connect().map_err(text)?;
    idle.batch_execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").map_err(text)?;
    let mut open = server.connect().map_err(text)?;
    open.batch_execute("BEGIN; INSERT INTO t VALUES (2)").map_err(text)?;
    let mut busy = server.connect().map_err(text)?;
    let running = std::thread::spawn(move || busy.batch_execute("SELECT pg_sleep(3600)"));
    std::thread::sleep(Duration::from_millis(300));
    let (status, said) = server.terminate()?;
    assert!(status.success(), "{status}: {said:?}");
    assert_eq!(said.last().map(String::as_str), Some("helios: stopped"));
    let error = running.join().expect("it does not panic").expect_err("its server went away");
    assert_eq!(error.code(), Some(&postgres::error::SqlState::ADMIN_SHUTDOWN), "{error:?}");
    assert!(idle.batch_execute("SELECT 1").is_err() && open.batch_execute("SELECT 1").is_err());

    let server = binary().serve(directory.path()).listening()?;
    let rows = server.connect().and_then(|mut client| client.query("SELECT a FROM t", &[])).map_err(text)?;
    assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [1]);
    Ok(())
}
