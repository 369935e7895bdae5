//! The conformance suite on every backend of this crate, and random operations on all of them side by side.

use helios_env::{Env, conformance};

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

#[test]
fn random_operations_agree() {
    let directory = directory();
    let envs = [Env::memory(), Env::portable(directory.path())].map(|env| env.expect("an environment starts"));
    for seed in 0..40 {
        let [expected, others @ ..] =
            envs.each_ref().map(|env| env.block_on(conformance::random_operations(env, seed, 300)));
        for (env, transcript) in envs[1..].iter().zip(others) {
            for (expected, line) in expected.iter().zip(&transcript) {
                assert_eq!(expected, line, "seed {seed}, memory against {}", env.disk.describe());
            }
            assert_eq!(expected.len(), transcript.len());
        }
    }
}
