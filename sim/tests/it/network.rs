//! The network: each fault fires and does what it says, and bytes arrive in order and whole or their connection ends.

use std::time::Duration;

use helios_env::Env;
use helios_sim::{
    Bundle, Choices, CrashKind, DeviceProfile, DiskImage, Entry, Event, FaultKind, Faults, NetworkError,
    NetworkOptions, SimNet, SimStream, Stats, Stop, Timing, TraceLevel, Violation, Workload, World, WorldConfig, live,
    render, viewer,
};

const SERVER: usize = 0;
const CLIENT: usize = 1;
const PORT: u16 = 5432;

/// A server and a client.
fn world(seed: u64, faults: Faults) -> World {
    let world = World::new(WorldConfig { faults, trace: TraceLevel::Full, ..WorldConfig::seeded(seed) });
    assert_eq!(world.add_node(&DiskImage::empty(), DeviceProfile::default(), Timing::nvme()), CLIENT);
    world
}

fn faults(kinds: &[FaultKind], ppm: u32) -> Faults {
    kinds.iter().fold(Faults::none(), |faults, kind| faults.with(*kind, ppm))
}

/// The byte at a position of every conversation here.
fn byte(at: usize) -> u8 {
    (at * 31 % 251) as u8
}

/// Writes bytes `from..to` in pieces of different sizes; how many were taken, and the error that ended it.
async fn write(stream: &SimStream, from: usize, to: usize) -> (usize, Result<(), NetworkError>) {
    let mut at = from;
    while at < to {
        let bytes: Vec<u8> = (at..to.min(at + 1 + at * 7 % 900)).map(byte).collect();
        match stream.write(&bytes).await {
            Ok(count) => at += count,
            Err(error) => return (at - from, Err(error)),
        }
    }
    (at - from, Ok(()))
}

/// Reads to the end and checks that every byte is the one of its place; how many, and the error that ended it.
async fn read(stream: &SimStream) -> (usize, Result<(), NetworkError>) {
    let (mut at, mut buffer) = (0, [0; 700]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return (at, Ok(())),
            Ok(count) => {
                for byte_read in &buffer[..count] {
                    assert_eq!(*byte_read, byte(at), "the byte at {at} is wrong");
                    at += 1;
                }
            }
            Err(error) => return (at, Err(error)),
        }
    }
}

/// Serves one connection after the other, each with `serve`.
fn serve<F>(world: &World, serve: impl Fn(SimStream, Env) -> F + Clone + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let network = world.network();
    world.on_boot(SERVER, move |env| {
        let (network, serve) = (network.clone(), serve.clone());
        async move {
            let listener = network.listen(SERVER, PORT).expect("the port is free");
            loop {
                let stream = listener.accept().await;
                let _task = env.spawn("connection", serve(stream, env.clone()));
            }
        }
    });
}

/// Answers every byte with itself until the client's end.
async fn echo(stream: SimStream, _env: Env) {
    let mut buffer = [0; 300];
    stream.keep_alive(Duration::from_secs(5));
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

fn on_client<T>(world: &World, work: impl AsyncFnOnce(SimNet, Env) -> T) -> T {
    world.run_on(CLIENT, work(world.network(), world.env_of(CLIENT))).expect("the client's node stays up")
}

async fn connect(network: &SimNet) -> SimStream {
    network.connect(CLIENT, SERVER, PORT).await.expect("somebody listens")
}

/// Sends `bytes` bytes to an echo and reads them again while it writes.
async fn round_trip(network: &SimNet, env: &Env, bytes: usize) -> Result<(usize, usize), NetworkError> {
    let stream = std::sync::Arc::new(network.connect(CLIENT, SERVER, PORT).await?);
    stream.keep_alive(Duration::from_secs(5));
    let sender = stream.clone();
    let (done, sent) = helios_env::pending();
    let _task = env.spawn("sender", async move {
        let (count, outcome) = write(&sender, 0, bytes).await;
        let ended = outcome.and_then(|()| sender.shut_down());
        done.complete(ended.map(|()| count));
    });
    let (received, outcome) = read(&stream).await;
    let sent = sent.await?;
    outcome.map(|()| (sent, received))
}

#[test]
fn a_quiet_network_delivers() {
    let world = world(1, Faults::none());
    serve(&world, echo);
    let counts = on_client(&world, async |network, env| round_trip(&network, &env, 50_000).await);
    assert_eq!(counts, Ok((50_000, 50_000)));
    world.settle(Duration::from_secs(100)).expect("nothing crashes");
    assert_eq!([SERVER, CLIENT].map(|node| world.network().connections_of(node)), [0, 0], "connections are left");
    assert_eq!(world.fault_counts().total(), 0);
}

/// What delays, loses, doubles and shuffles segments is time, and nothing else, to whoever reads.
#[test]
fn segments_may_do_what_they_want_bytes_arrive_in_order_and_whole() {
    let kinds =
        [FaultKind::NetworkDelay, FaultKind::SegmentLoss, FaultKind::SegmentDuplication, FaultKind::SegmentReordering];
    let lasting = |faults: Faults| {
        let world = world(5, faults);
        serve(&world, echo);
        let counts = on_client(&world, async |network, env| round_trip(&network, &env, 20_000).await);
        assert_eq!(counts, Ok((20_000, 20_000)));
        (world.now().since(helios_env::Instant(0)), world.fault_counts())
    };
    let (quiet, _) = lasting(Faults::none());
    for kind in kinds {
        let (time, counts) = lasting(faults(&[kind], 50_000));
        assert!(counts.of(kind) > 0, "{} never fired", kind.name());
        assert_eq!(counts.total(), counts.of(kind));
        println!("{}: {} times, {time:?} instead of {quiet:?}", kind.name(), counts.of(kind));
        if [FaultKind::NetworkDelay, FaultKind::SegmentLoss].contains(&kind) {
            assert!(time > 2 * quiet, "{} costs no time: {time:?}, quiet {quiet:?}", kind.name());
        }
    }
    for seed in 0..40 {
        let world = world(seed, faults(&kinds, 80_000));
        serve(&world, echo);
        let counts = on_client(&world, async |network, env| round_trip(&network, &env, 4_000).await);
        assert_eq!(counts, Ok((4_000, 4_000)), "seed {seed}");
    }
}

#[test]
fn under_all_faults_bytes_arrive_in_order_or_the_connection_ends_with_an_error() {
    let kinds: Vec<FaultKind> = FaultKind::ALL.iter().copied().filter(|kind| kind.is_of_network()).collect();
    let (mut whole, mut broken, mut counts) = (0, 0, helios_sim::FaultCounts::default());
    for seed in 0..150 {
        let world = world(seed, faults(&kinds, 10_000));
        serve(&world, echo);
        let outcome = on_client(&world, async |network, env| round_trip(&network, &env, 6_000).await);
        match outcome {
            Ok((sent, received)) if received == sent => whole += 1,
            // The server's half-close looks like its end.
            Ok(_) => assert!(world.fault_counts().of(FaultKind::HalfClose) > 0, "seed {seed}: {outcome:?}"),
            Err(_) => broken += 1,
        }
        counts.add(&world.fault_counts());
    }
    println!("{whole} whole, {broken} broken; {:?}", counts.fired().collect::<Vec<_>>());
    assert!(whole > 20 && broken > 20, "{whole} whole, {broken} broken");
    for kind in kinds {
        assert!(counts.of(kind) > 0, "{} never fired", kind.name());
    }
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let world = world(1, Faults::none());
    let outcome = on_client(&world, async |network, _env| network.connect(CLIENT, SERVER, 1).await.map(drop));
    assert_eq!(outcome, Err(NetworkError::Refused));
    let network = world.network();
    let listener = network.listen(SERVER, 1).expect("the port is free");
    assert_eq!(network.listen(SERVER, 1).map(drop), Err(NetworkError::AddressInUse));
    on_client(&world, async |network, _env| {
        // It waits to be accepted, and is reset by a listener that goes.
        let stream = network.connect(CLIENT, SERVER, 1).await.expect("somebody listens");
        drop(listener);
        assert_eq!(stream.read(&mut [0]).await, Err(NetworkError::Reset));
        assert_eq!(network.connect(CLIENT, SERVER, 1).await.map(drop), Err(NetworkError::Refused));
    });
    network.listen(SERVER, 1).expect("the port is free again");
}

/// The first byte tells the server what to do: hold still, or write for ever.
async fn speak_or_listen(stream: SimStream, env: Env) {
    let mut first = [0];
    stream.keep_alive(Duration::from_secs(5));
    if stream.read(&mut first).await == Ok(1) && first[0] == b'w' {
        for at in 0.. {
            if stream.write_all(&[byte(at)]).await.is_err() {
                return;
            }
            env.sleep(Duration::from_millis(100)).await;
        }
    }
    while let Ok(1..) = stream.read(&mut [0; 100]).await {}
}

#[test]
fn a_one_way_partition_stops_one_way() {
    let world = world(3, Faults::none());
    serve(&world, speak_or_listen);
    on_client(&world, async |network, env| {
        let stream = connect(&network).await;
        stream.write_all(b"w").await.expect("it is open");
        let mut buffer = [0; 64];
        assert!(stream.read(&mut buffer).await.expect("the server writes") > 0);
        network.cut(CLIENT, SERVER);
        env.sleep(Duration::from_secs(1)).await;
        let heard = stream.read(&mut buffer).await.expect("the server is heard");
        assert!(heard > 5, "{heard} bytes in a second");
        // The server never hears that its bytes arrive, and gives up in the end.
        let begun = env.clock.monotonic();
        stream.keep_alive(Duration::from_secs(5));
        while let Ok(1..) = stream.read(&mut buffer).await {}
        assert_eq!(stream.read(&mut buffer).await, Err(NetworkError::TimedOut));
        let waited = env.clock.monotonic().since(begun).as_secs();
        assert!((40..75).contains(&waited), "{waited} seconds");
    });
    assert_eq!(world.network().connections_of(SERVER), 0);
}

#[test]
fn a_partition_that_lasts_ends_connections_and_one_that_does_not_delays_them() {
    let world = world(4, Faults::none());
    serve(&world, speak_or_listen);
    on_client(&world, async |network, env| {
        let stream = connect(&network).await;
        network.partition(CLIENT, SERVER);
        stream.write_all(b"w").await.expect("it is open");
        env.sleep(Duration::from_secs(20)).await;
        network.mend();
        assert_eq!(stream.read(&mut [0; 1]).await, Ok(1), "the bytes were sent again");

        network.partition(CLIENT, SERVER);
        let begun = env.clock.monotonic();
        stream.write_all(b"x").await.expect("it is open");
        while let Ok(1..) = stream.read(&mut [0; 64]).await {}
        assert_eq!(stream.read(&mut [0; 1]).await, Err(NetworkError::TimedOut));
        assert_eq!(stream.write(b"x").await, Err(NetworkError::TimedOut));
        let waited = env.clock.monotonic().since(begun);
        assert!((30..40).contains(&waited.as_secs()), "{waited:?}");

        let refused = network.connect(CLIENT, SERVER, PORT).await.map(drop);
        assert_eq!(refused, Err(NetworkError::TimedOut), "nobody answers");
    });
    let network = world.network();
    world.settle(Duration::from_secs(60)).expect("nothing crashes");
    assert_eq!(network.connections_of(SERVER), 0, "the server has noticed");
}

#[test]
fn a_healed_network_delivers() {
    for seed in 0..30 {
        let world = world(seed, faults(&[FaultKind::Partition, FaultKind::OneWayPartition], 500_000));
        serve(&world, echo);
        let handle = world.handle();
        let healed = on_client(&world, async |network, env| {
            let first = round_trip(&network, &env, 100).await;
            handle.heal();
            let begun = env.clock.monotonic();
            let second = round_trip(&network, &env, 20_000).await;
            assert_eq!(second, Ok((20_000, 20_000)), "after {first:?}");
            env.clock.monotonic().since(begun)
        });
        assert!(healed < Duration::from_secs(5), "seed {seed}: {healed:?}");
    }
}

#[test]
fn a_half_close_ends_one_direction() {
    let (mut early, mut ends) = (0, 0);
    for seed in 0..60 {
        let world = world(seed, Faults::none());
        serve(&world, async |stream: SimStream, _env: Env| {
            // What arrived, as a number, once nothing more comes.
            let (count, outcome) = read(&stream).await;
            assert_eq!(outcome, Ok(()), "a half-close is an end, not an error");
            stream.write_all(&(count as u64).to_be_bytes()).await.expect("the other direction is open");
        });
        world.set_faults(faults(&[FaultKind::HalfClose], 200_000));
        let handle = world.handle();
        on_client(&world, async |network, _env| {
            let stream = connect(&network).await;
            let (written, outcome) = write(&stream, 0, 1_000).await;
            let fired = handle.fault_counts().of(FaultKind::HalfClose);
            assert_eq!(outcome, if fired > 0 { Err(NetworkError::Closed) } else { Ok(()) });
            assert!(fired <= 1, "it happens once to a connection");
            handle.set_faults(Faults::none());
            stream.shut_down().expect("it is not broken");
            let answer = stream.read_to_end().await.expect("the server answers");
            assert_eq!(answer, (written as u64).to_be_bytes(), "what was written arrived, and no more");
            ends += fired;
            early += u64::from(fired > 0 && written > 0);
        });
    }
    assert!(ends > 10 && early > 5, "{ends} half-closes, {early} after some bytes");
}

#[test]
fn a_reset_comes_in_the_middle_and_both_ends_know() {
    let (mut middle, mut resets) = (0, 0);
    for seed in 0..60 {
        let world = world(seed, faults(&[FaultKind::ConnectionReset], 100_000));
        let (done, at_server) = helios_env::pending();
        let done = helios_env::sync::Mutex::new(Some(done));
        let done = std::sync::Arc::new(done);
        serve(&world, move |stream: SimStream, _env: Env| {
            let done = done.lock().take();
            async move {
                let outcome = read(&stream).await;
                done.map(|done| done.complete(outcome));
            }
        });
        let handle = world.handle();
        on_client(&world, async |network, _env| {
            let stream = connect(&network).await;
            let (written, outcome) = write(&stream, 0, 1_000).await;
            stream.shut_down().ok();
            let (received, end) = at_server.await;
            if handle.fault_counts().of(FaultKind::ConnectionReset) > 0 {
                assert_eq!(outcome, Err(NetworkError::Reset));
                assert_eq!(stream.read(&mut [0]).await, Err(NetworkError::Reset));
                assert_eq!(end, Err(NetworkError::Reset));
                middle += u64::from(received > written);
                resets += 1;
            } else {
                assert_eq!((outcome, received, end), (Ok(()), 1_000, Ok(())));
            }
        });
    }
    assert!(resets > 10 && middle > 5, "{resets} resets, {middle} in the middle of a message");
}

/// A kernel closes what a killed process had; the next one listens anew.
#[test]
fn a_killed_server_closes_its_connections() {
    for seed in 0..20 {
        let world = world(seed, Faults::none());
        serve(&world, speak_or_listen);
        let handle = world.handle();
        on_client(&world, async |network, _env| {
            let stream = connect(&network).await;
            stream.write_all(b"w").await.expect("it is open");
            assert!(stream.read(&mut [0; 8]).await.expect("the server writes") > 0);
            handle.crash_node(SERVER, CrashKind::Process);
            while let Ok(1..) = stream.read(&mut [0; 8]).await {}
            drop(stream);
            let again = connect(&network).await;
            again.write_all(b"w").await.expect("the next process serves");
            assert!(again.read(&mut [0; 8]).await.expect("the next process writes") > 0);
        });
    }
}

/// Nobody closes anything after a power cut: whoever writes is told when the machine is up again, whoever only reads needs
/// a keepalive.
#[test]
fn a_power_cut_is_silent() {
    let (mut resets, mut time_outs) = (0, 0);
    for seed in 0..80 {
        let world = world(seed, Faults::none());
        serve(&world, speak_or_listen);
        let handle = world.handle();
        on_client(&world, async |network, env| {
            let stream = connect(&network).await;
            stream.write_all(b"-").await.expect("it is open");
            stream.flushed().await.expect("it is open");
            handle.crash_node(SERVER, CrashKind::Power);
            let begun = env.clock.monotonic();
            if seed % 2 == 0 {
                stream.keep_alive(Duration::from_secs(10));
            } else {
                stream.write_all(b"are you there?").await.expect("nobody knows yet");
            }
            match stream.read(&mut [0; 8]).await {
                Err(NetworkError::Reset) => resets += 1,
                Err(NetworkError::TimedOut) => time_outs += 1,
                other => panic!("seed {seed}: {other:?}"),
            }
            let waited = env.clock.monotonic().since(begun);
            assert!(waited < Duration::from_secs(41), "seed {seed}: {waited:?}");
        });
    }
    assert!(resets > 0 && time_outs > 0, "{resets} resets, {time_outs} time-outs");
}

/// A client's crash ends what it waits for, and its incarnation's streams are silent in the next one.
#[test]
fn a_client_that_crashes_is_noticed() {
    for kind in [CrashKind::Process, CrashKind::Power] {
        let world = world(9, Faults::none());
        serve(&world, speak_or_listen);
        let (network, handle) = (world.network(), world.handle());
        let stop = world.run_on(CLIENT, async {
            let stream = connect(&network).await;
            stream.write_all(b"-").await.expect("it is open");
            stream.flushed().await.expect("it is open");
            handle.crash_node(CLIENT, kind);
            stream.read(&mut [0]).await
        });
        assert_eq!(stop, Err(Stop::Crashed(kind)));
        world.settle(Duration::from_secs(120)).expect("the server's node stays up");
        assert_eq!([SERVER, CLIENT].map(|node| world.network().connections_of(node)), [0, 0], "{kind:?}");
    }
}

/// A slow reader slows its writer down, and nothing is held but what fits.
#[test]
fn a_reader_that_does_not_read_holds_the_writer() {
    let world = world(2, faults(&[FaultKind::SegmentLoss], 20_000));
    let options = NetworkOptions {
        segment_bytes_max: 100,
        send_buffer_bytes: 500,
        receive_buffer_bytes: 300,
        ..NetworkOptions::default()
    };
    world.network().configure(options);
    serve(&world, async |stream: SimStream, env: Env| {
        env.sleep(Duration::from_secs(100)).await;
        assert_eq!(read(&stream).await, (5_000, Ok(())));
    });
    on_client(&world, async |network, env| {
        let stream = connect(&network).await;
        let (written, outcome) = write(&stream, 0, 800).await;
        assert_eq!((written, outcome), (800, Ok(())));
        assert!(env.clock.monotonic().since(helios_env::Instant(0)) < Duration::from_secs(50), "800 bytes fit");
        assert_eq!(write(&stream, 800, 5_000).await, (4_200, Ok(())));
        assert!(env.clock.monotonic().since(helios_env::Instant(0)) > Duration::from_secs(100), "5,000 do not");
        stream.shut_down().expect("it is open");
        assert_eq!(stream.read(&mut [0]).await, Ok(0));
    });
}

/// Copies of a whole conversation that arrive when its connection is over do not start it again.
#[test]
fn late_duplicates_do_not_open_a_connection_anew() {
    let world = world(6, Faults::none().with(FaultKind::SegmentDuplication, 1_000_000));
    let served = std::sync::Arc::new(helios_env::sync::AtomicU64::new(0));
    let count = served.clone();
    serve(&world, move |stream: SimStream, _env: Env| {
        let count = count.clone();
        async move {
            let (bytes, _) = read(&stream).await;
            count.fetch_add(bytes as u64, helios_env::sync::Ordering::Relaxed);
        }
    });
    // A killed process's kernel still knows the connection; after a power cut a copy finds nobody who does.
    for _ in 0..100 {
        let handle = world.handle();
        on_client(&world, async |network, env| {
            let stream = connect(&network).await;
            assert_eq!(write(&stream, 0, 10).await, (10, Ok(())));
            stream.flushed().await.expect("it is open");
            env.sleep(Duration::from_millis(1)).await;
            handle.crash_node(SERVER, CrashKind::Power);
            env.sleep(Duration::from_secs(60)).await;
        });
    }
    assert_eq!(served.load(helios_env::sync::Ordering::Relaxed), 0, "a connection ended well that no client ended");
}

#[test]
fn one_seed_is_one_network() {
    let kinds: Vec<FaultKind> = FaultKind::ALL.iter().copied().filter(|kind| kind.is_of_network()).collect();
    let hash = |seed| {
        let world = world(seed, faults(&kinds, 20_000));
        serve(&world, echo);
        let outcome = on_client(&world, async |network, env| round_trip(&network, &env, 3_000).await);
        (world.trace_hash(), outcome)
    };
    let mut hashes: Vec<u64> = (0..20).map(|seed| hash(seed).0).collect();
    for seed in 0..20 {
        assert_eq!(hash(seed), hash(seed), "seed {seed}");
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20, "worlds of different seeds are the same");
}

/// A page of a life on a network has a lane for each direction, and says what became of segments.
struct Echoes;

impl Workload for Echoes {
    fn name(&self) -> &str {
        "echoes"
    }

    fn uses_network(&self) -> bool {
        true
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        world.add_node(&DiskImage::empty(), DeviceProfile::default(), Timing::nvme());
        world.set_faults(faults(&[FaultKind::SegmentLoss, FaultKind::OneWayPartition], 30_000));
        serve(world, echo);
        let (network, env) = (world.network(), world.env_of(CLIENT));
        // Whether it arrives is of no interest here.
        drop(world.run_on(CLIENT, async move { round_trip(&network, &env, 3_000).await }));
        Ok(Stats::default())
    }
}

#[test]
fn a_page_shows_the_network() {
    let life = live(&Echoes, Choices::seeded(1), TraceLevel::Full);
    let is_lost = |entry: &&Entry| matches!(entry.event, Event::Segment { fate, .. } if fate != "arrived");
    assert!(life.trace.iter().filter(is_lost).count() > 0, "nothing was lost");
    let text = render(&life.trace);
    assert!(text.contains("net    #0 at node 1: established") && text.contains(" lost\n"), "{text}");
    let (decisions, minimal) = (life.decisions.clone(), life.decisions.clone());
    let bundle = Bundle { workload: "echoes".to_owned(), seed: 1, command: "none".to_owned(), decisions, minimal };
    let page = viewer::html(&bundle, &life);
    let segments = life.trace.iter().filter(|entry| matches!(entry.event, Event::Segment { .. })).count();
    assert_eq!(page.matches(r#""k":"segment""#).count(), segments);
    if let Some(path) = std::env::var_os("HELIOS_NETWORK_PAGE") {
        std::fs::write(path, page).expect("it can be written");
    }
}

/// Whoever does not use the network decides nothing about it.
#[test]
fn a_world_without_connections_asks_nothing_of_the_network() {
    let world = world(1, Faults::default());
    world.crash(CrashKind::Power);
    world.heal();
    let sites: Vec<String> = world.choices().log().decisions.iter().map(|decision| decision.site.to_string()).collect();
    assert!(!sites.iter().any(|site| site.starts_with("network")), "{sites:?}");
}
