//! The executor as its users see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Env;

fn env() -> Env {
    Env::memory().expect("threads start")
}

#[test]
fn tasks_run_and_end() {
    let env = env();
    let count = Arc::new(AtomicUsize::new(0));
    env.block_on(async {
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (env_of_task, count) = (env.clone(), count.clone());
                env.spawn("count", async move {
                    env_of_task.spawn.yield_now().await;
                    count.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 100);
}
