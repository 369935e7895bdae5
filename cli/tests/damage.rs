//! A flipped byte, a cut or a stranger in each kind of file of a real data directory, seen through the binary: a clear
//! refusal that names file and offset, or the right answer; never a panic, never wrong rows.
//!
//! `helios-storage`'s own tests damage every byte of a small directory in memory; here it is a few bytes of each file on
//! a disk, from the outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use helios_chaos::process::Binary;

const QUESTION: &str = "SELECT count(*) AS rows, sum(a) AS sum, min(b) AS least, max(b) AS most FROM t";

fn binary() -> Binary {
    Binary::at(env!("CARGO_BIN_EXE_helios"))
}

/// How a command of the binary ended, and what it said: its output when it succeeded, its complaints when not.
fn run(command: &str, directory: &Path, more: &[&str]) -> (i32, String) {
    let mut arguments = vec![command.as_ref(), "--data-dir".as_ref(), directory.as_os_str()];
    arguments.extend(more.iter().map(AsRef::<std::ffi::OsStr>::as_ref));
    let output = binary().run(&arguments);
    let (answer, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!complaints.contains("panicked"), "{complaints}");
    let status = output.status.code().expect("it ended by itself");
    (status, if status == 0 { answer.into_owned() } else { format!("{answer}{complaints}") })
}

/// A directory with rows in tables and rows in the log alone; what lies in it, by path.
fn files(directory: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
    let (status, said) = run(
        "sql",
        directory,
        &[
            "-c",
            "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE TABLE last_words (a int);
                 INSERT INTO t SELECT a, 'row number ' || a FROM generate_series(1, 2000) a",
        ],
    );
    assert_eq!(status, 0, "{said}");
    let server = binary().serve(directory).listening()?;
    let more = "INSERT INTO t SELECT a, 'row number ' || a FROM generate_series(2001, 2500) a";
    let mut client = server.connect().map_err(|error| error.to_string())?;
    // The last batch of the log cannot be told from a torn write: nothing that is asked for is in it.
    for sql in [more, "INSERT INTO last_words VALUES (1)", "INSERT INTO last_words VALUES (2)"] {
        client.batch_execute(sql).map_err(|error| error.to_string())?;
    }
    server.kill();
    let mut files = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it is ours").map(|entry| entry.expect("it is ours").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let path = entry.strip_prefix(directory).expect("it lies there").to_owned();
                files.insert(path, fs::read(entry).expect("it is ours"));
            }
        }
    }
    Ok(files)
}

fn write(files: &BTreeMap<PathBuf, Vec<u8>>) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    for (path, contents) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().expect("it lies in the directory")).expect("writable");
        fs::write(path, contents).expect("writable");
    }
    directory
}

/// Asks the damaged directory, then verifies it: whether anybody noticed.
fn noticed(files: &BTreeMap<PathBuf, Vec<u8>>, path: &Path, answer: &str) -> bool {
    let names_it = |said: &str| {
        said.contains(&*path.to_string_lossy())
            && (said.contains("offset") || said.contains("does not belong") || said.contains("format version"))
    };
    let directory = write(files);
    let (status, said) = run("verify", directory.path(), &[]);
    let verified = status == 0;
    assert!(verified || names_it(&said), "verify, {}: {said}", path.display());
    let directory = write(files);
    let (status, said) = run("sql", directory.path(), &["-c", QUESTION]);
    assert!(status == 0 || names_it(&said), "a query, {}: {said}", path.display());
    assert!(status != 0 || said == answer, "wrong rows, {}: {said}", path.display());
    assert!(status == 0 || !verified, "verify calls clean what a query fails on, {}: {said}", path.display());
    !verified
}

#[test]
fn a_damaged_file_is_refused_by_name_or_does_no_harm() -> Result<(), String> {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let files = files(directory.path())?;
    let (_, answer) = run("sql", write(&files).path(), &["-c", QUESTION]);
    assert!(answer.contains("2500") && answer.contains("3126250"), "{answer}");
    let mut kinds: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (path, contents) in files.iter().filter(|(path, _)| path.as_path() != Path::new("LOCK")) {
        let used = contents.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        assert!(used > 0, "{} is empty", path.display());
        let kind = path.extension().map_or_else(|| "FORMAT".to_owned(), |kind| kind.to_string_lossy().into_owned());
        let counts = kinds.entry(kind).or_default();
        for at in [0, used / 4, used / 2, used * 3 / 4, used - 1] {
            let mut damaged = files.clone();
            damaged.get_mut(path).expect("it is there")[at] ^= 0x10;
            counts.0 += 1;
            println!("{}: byte {at} of {used}", path.display());
            counts.1 += u32::from(noticed(&damaged, path, &answer));
        }
        let mut cut = files.clone();
        cut.get_mut(path).expect("it is there").truncate(used / 2);
        counts.0 += 1;
        println!("{}: cut after {} bytes of {}", path.display(), used / 2, contents.len());
        counts.1 += u32::from(noticed(&cut, path, &answer));
    }
    println!("damaged, noticed: {kinds:?}");
    for kind in ["FORMAT", "manifest", "sst", "wal"] {
        assert!(kinds.get(kind).is_some_and(|(_, noticed)| *noticed > 0), "{kind}: {kinds:?}");
    }
    Ok(())
}

#[test]
fn a_stranger_in_the_directory_is_refused_by_name() -> Result<(), String> {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let files = files(directory.path())?;
    for stranger in ["wal/notes.txt", "sst/17.sst", "manifest/CURRENT"] {
        let mut more = files.clone();
        more.insert(PathBuf::from(stranger), b"hello".to_vec());
        let (status, said) = run("verify", write(&more).path(), &[]);
        assert!(status == 1 && said.contains(stranger), "{said}");
    }
    // Somebody else's directory, and a file.
    let theirs = tempfile::tempdir().expect("the temporary directory is writable");
    fs::write(theirs.path().join("PG_VERSION"), "18\n").expect("writable");
    for command in ["verify", "serve", "sql"] {
        let more: &[&str] = if command == "sql" { &["-c", "SELECT 1"] } else { &[] };
        let (status, said) = run(command, theirs.path(), more);
        assert!(status == 1 && said.contains("PG_VERSION"), "{said}");
        let (status, said) = run(command, &theirs.path().join("PG_VERSION"), more);
        assert!(status == 1 && said.contains("PG_VERSION"), "{said}");
    }
    let mut left: Vec<_> =
        fs::read_dir(theirs.path()).expect("it is ours").map(|entry| entry.expect("it is").file_name()).collect();
    left.retain(|name| name != "LOCK");
    assert_eq!(left, ["PG_VERSION"], "nothing but the lock was made in a foreign directory");
    Ok(())
}
