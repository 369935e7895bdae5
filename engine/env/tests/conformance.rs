//! The conformance suite on every backend of this crate, and random operations on all of them side by side.

use helios_env::{Env, ErrorKind, conformance};

/// A directory of its own on the disk where the build is, which is a real one more often than the temporary directory.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory is writable")
}

#[test]
fn memory() {
    let env = Env::memory().expect("threads start");
    env.block_on(conformance::run(&env));
}

#[test]
fn portable() {
    let directory = directory();
    let env = Env::portable(directory.path()).expect("a directory opens");
    env.block_on(conformance::run(&env));
}

/// As a task, nothing runs on the waiting thread: all operations take the pool's threads.
#[test]
fn portable_away_from_the_caller() {
    let directory = directory();
    let env = Env::portable(directory.path()).expect("a directory opens");
    let of_task = env.clone();
    env.block_on(env.spawn("conformance", async move { conformance::run(&of_task).await }));
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0, "the suite ended and cleaned up");
}

/// io_uring in `path`, or a word about why there is none.
fn uring(path: &std::path::Path) -> Option<Env> {
    match Env::io_uring(path) {
        Ok(env) => Some(env),
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied),
                "io_uring is neither there nor refused: {error}"
            );
            println!("SKIPPED: io_uring is not available here: {error}");
            None
        }
    }
}

#[test]
fn io_uring() {
    let directory = directory();
    if let Some(env) = uring(directory.path()) {
        env.block_on(conformance::run(&env));
    }
}

/// As a task, everything goes through the ring.
#[test]
fn io_uring_away_from_the_caller() {
    let directory = directory();
    if let Some(env) = uring(directory.path()) {
        let of_task = env.clone();
        env.block_on(env.spawn("conformance", async move { conformance::run(&of_task).await }));
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0, "the suite ended and cleaned up");
    }
}

/// Runs random operations on a thread of the environment's own.
fn random_operations_away_from_the_caller(env: &Env, seed: u64, steps: usize) -> Vec<String> {
    let (completer, transcript) = helios_env::pending();
    let of_task = env.clone();
    drop(env.spawn("random operations", async move {
        completer.complete(conformance::random_operations(&of_task, seed, steps).await);
    }));
    env.block_on(transcript)
}

#[test]
fn random_operations_agree() {
    let directories = [directory(), directory()];
    let mut envs = vec![Env::portable(directories[0].path()).expect("a directory opens")];
    envs.extend(uring(directories[1].path()));
    let memory = Env::memory().expect("threads start");
    for seed in 0..25 {
        let expected = memory.block_on(conformance::random_operations(&memory, seed, 300));
        for env in &envs {
            let here = env.block_on(conformance::random_operations(env, seed, 300));
            let away = random_operations_away_from_the_caller(env, seed, 300);
            for transcript in [here, away] {
                for (expected, line) in expected.iter().zip(&transcript) {
                    assert_eq!(expected, line, "seed {seed}, memory against {}", env.disk.describe());
                }
                assert_eq!(expected.len(), transcript.len());
            }
        }
    }
}
