// What the disk held at every event, and what became of every write. Nothing here draws.
//
// A position is an index into `life.events`. Plumbing (changes, lengths, names) stands right before the event that it
// belongs to, so the disk at a position is what all events up to it have made of it.

const PLUMBING = new Set(["files", "land", "change", "length", "durable", "dropped", "resolve", "damage", "heal", "end"]);

const ERRNO = { 2: "ENOENT: no such file", 5: "EIO", 17: "EEXIST: it exists", 20: "ENOTDIR", 21: "EISDIR", 22: "EINVAL", 28: "ENOSPC: no space", 39: "ENOTEMPTY" };

// Puts each crash before what it did: first the crash, then the fate of one change after the other.
function inOrder(events) {
  const ordered = [];
  let burst = [];
  for (const event of events) {
    if (event.k === "resolve" || event.k === "fate" || (burst.length && event.k === "files")) { burst.push(event); continue; }
    if (event.k === "crash") {
      const of = kind => burst.filter(e => e.k === kind);
      const [resolves, fates, files] = [of("resolve"), of("fate"), of("files")];
      ordered.push(event);
      fates.forEach((fate, i) => {
        if (resolves[i]) ordered.push(resolves[i]);
        if (i === fates.length - 1) ordered.push(...files);
        ordered.push(fate);
      });
      burst = [];
      continue;
    }
    ordered.push(...burst, event);
    burst = [];
  }
  return ordered.concat(burst);
}

// Reads the events once, and ties together what belongs together: writes and their changes, operations and tasks.
function understand(data) {
  const events = inOrder(data.events);
  const end = events.length ? events[events.length - 1].t : 0;
  events.push(data.head.violation === null
    ? { k: "ended", t: end, text: "the life ended well" }
    : { k: "violation", t: end, text: data.head.violation });
  const life = { head: data.head, events, tasks: new Map(), writes: new Map(), changes: [], shown: [], crashes: [], faults: [] };
  const bySeq = new Map(), polled = new Map(), slots = new Map(), paths = new Map();
  // Writes that have completed, until their task says what it makes of it.
  const said = new Map();
  // Changes of files that nothing has settled.
  let open = [];
  let running = null, write = null, fresh = [], faults = [], number = 0, crash = null;

  // A task's lane: the first one of its name that nobody alive is in.
  const enter = (task, name, at, node) => {
    const key = node + ":" + name, taken = slots.get(key) || [];
    slots.set(key, taken);
    let slot = taken.findIndex(t => t === null);
    if (slot < 0) slot = taken.push(null) - 1;
    taken[slot] = task;
    life.tasks.set(task, { task, name, node, slot, born: at, died: null });
  };
  const leave = (task, at) => {
    const known = life.tasks.get(task);
    if (!known || known.died !== null) return;
    known.died = at;
    const taken = slots.get(known.node + ":" + known.name);
    if (taken[known.slot] === task) taken[known.slot] = null;
  };
  const changeOf = (node, seq) => life.changes[bySeq.get(node + ":" + seq)];
  const settle = (change, kind, at) => { if (change && !change.end) change.end = { kind, at }; };

  events.forEach((event, at) => {
    event.at = at;
    if (!PLUMBING.has(event.k) && event.k !== "poll") { event.n = ++number; }
    if (!PLUMBING.has(event.k)) life.shown.push(at);
    switch (event.k) {
      case "spawn": enter(event.task, event.name, at, event.node); break;
      case "poll":
        if (!life.tasks.has(event.task)) enter(event.task, event.name, at, 0);
        polled.set(event.task, at);
        running = event.task;
        break;
      case "end": leave(event.task, at); break;
      case "fault": if (!event.network) faults.push(event); life.faults.push(event); break;
      case "note": case "mark": case "buggify":
        event.task = running;
        if (said.has(running)) said.get(running).forEach(record => record.said ??= event);
        said.delete(running);
        break;
      case "files": {
        for (const f of event.files) paths.set(event.node + ":" + f.ino, f.cached || f.durable || paths.get(event.node + ":" + f.ino));
        // A file that is freed takes its changes along.
        const there = new Set(event.files.map(f => f.ino));
        open = open.filter(change => !change.end);
        for (const change of open) if (change.node === event.node && !there.has(change.ino)) settle(change, "gone", at);
        // So does a file whose name the crash lost, however many of its changes it kept.
        if (crash && !crash.remounted && crash.node === event.node) {
          crash.remounted = true;
          for (const { change } of crash.fates) if (change && change.end.kind === "kept" && change.write && !there.has(change.ino)) change.end.kind = "gone";
        }
        break;
      }
      case "submit":
        event.path = paths.get(event.node + ":" + event.ino) || "inode " + event.ino;
        event.record = { submit: at, task: event.task, path: event.path, offset: event.offset, len: event.len, node: event.node, ino: event.ino, io: null, change: null, overtaken: null };
        life.writes.set(event.node + ":" + event.write, event.record);
        break;
      case "land": write = life.writes.get(event.node + ":" + event.write) || null; if (write) write.landed = at; break;
      case "change": {
        const change = { id: life.changes.length, node: event.node, ino: event.ino, what: event.what, offset: event.offset, len: event.len, name: event.name, path: paths.get(event.node + ":" + event.ino) || "inode " + event.ino, made: at, io: null, write, end: null };
        if (write) write.change = change;
        life.changes.push(change);
        if (!["create", "remove", "rename"].includes(change.what)) open.push(change);
        bySeq.set(event.node + ":" + event.seq, change.id);
        event.change = change;
        fresh.push(change);
        break;
      }
      case "durable": case "dropped":
        event.changes = event.seqs.map(seq => changeOf(event.node, seq)).filter(Boolean);
        fresh.push(event);
        break;
      case "resolve":
        event.change = changeOf(event.node, event.seq);
        settle(event.change, event.fate, at);
        if (event.change && crash) { event.change.end.crash = crash; crash.fates.push(event); }
        break;
      case "fate": {
        const last = crash && crash.fates[crash.fates.length - 1];
        event.record = last && last.change && last.change.write;
        event.changed = last && last.change;
        event.crash = crash;
        if (last) event.fate = last.words;
        break;
      }
      case "io": {
        event.began_at = event.began < event.t ? polled.get(event.task) ?? at : at;
        event.place = paths.get(event.node + ":" + event.ino) || event.path;
        for (const fault of faults) fault.io = at;
        faults = [];
        for (const made of fresh) {
          if (made.k) made.changes.forEach(change => settle(change, made.k, at)), event.covers = (event.covers || []).concat(made.changes);
          else { made.io = at; if (made.what === "rename") event.renamed = made.name; }
        }
        // What a task says after it has gone on to something else is not about its write.
        if (event.op !== "write" && event.op !== "sync") said.delete(event.task);
        if (event.op === "write" && write) {
          write.io = at; event.record = write; event.began_at = write.submit;
          if (event.result > 0) said.set(write.task, (said.get(write.task) || []).concat(write));
        }
        fresh = []; write = null;
        break;
      }
      case "crash":
        crash = event;
        event.fates = [];
        life.crashes.push(event);
        for (const known of life.tasks.values()) if (known.node === event.node) leave(known.task, at);
        running = null;
        // What a crash finds under way: arrived by chance, or never.
        for (const record of life.writes.values()) if (record.node === event.node && record.io === null && !record.overtaken) record.overtaken = event;
        fresh = []; faults = []; write = null;
        said.clear();
        break;
    }
  });
  // The first event at a time, or after it.
  life.first = t => {
    let low = 0, high = life.events.length - 1;
    while (low < high) { const middle = (low + high) >> 1; if (life.events[middle].t < t) low = middle + 1; else high = middle; }
    return low;
  };
  life.number = at => life.events[at].n ? "#" + life.events[at].n : "(step)";
  life.lane = task => {
    const known = life.tasks.get(task);
    if (!known) return task === null || task === undefined ? "nobody" : "task " + task;
    const several = (slots.get(known.node + ":" + known.name) || []).length > 1;
    return known.name + (several ? " " + (known.slot + 1) : "") + (known.node ? " @" + known.node : "");
  };
  return life;
}

// What became of a write, in words, with the position where it was decided; `tone` colours it.
function outcome(life, record) {
  const crashed = record.overtaken;
  if (!record.change) {
    if (record.io !== null) return { text: "failed", at: record.io, tone: "bad" };
    return crashed ? { text: "never arrived: the crash came first", at: crashed.at, tone: "bad" } : { text: "still under way at the end", at: life.events.length - 1, tone: "cached" };
  }
  const end = record.change.end;
  if (!end) return { text: "never made durable", at: record.change.made, tone: "cached" };
  const { kind, at } = end, part = record.change.len < record.len ? "only " + record.change.len + " of " + record.len + " bytes, " : "";
  if (kind === "durable") return { text: part + (part ? "made durable" : "made durable by a sync"), at, tone: part ? "cached" : "durable" };
  if (kind === "gone") return { text: part + "gone with its file", at, tone: "gone" };
  if (kind === "dropped") return { text: "FORGOTTEN by a failed sync", at, tone: "lost" };
  const place = end.crash ? end.crash.at : at;
  if (kind === "kept") return { text: "survived the power cut by luck", at: place, tone: "survived" };
  return { text: (kind === "torn" ? "TORN" : "LOST") + " in the power cut", at: place, tone: kind };
}

// The disks of all nodes at one position.
class Disks {
  constructor() { this.nodes = new Map(); this.at = -1; }

  node(number) {
    if (!this.nodes.has(number)) this.nodes.set(number, { files: new Map(), names: [], ghosts: [], crashed: false });
    return this.nodes.get(number);
  }

  clone() {
    const copy = new Disks();
    copy.at = this.at;
    for (const [number, node] of this.nodes) {
      const files = new Map();
      for (const [ino, f] of node.files) files.set(ino, { ...f, sectors: f.sectors.slice(), pending: f.pending.slice(), flight: f.flight.slice(), damage: new Map(f.damage) });
      copy.nodes.set(number, { files, names: node.names.slice(), ghosts: node.ghosts.slice(), crashed: node.crashed });
    }
    return copy;
  }

  apply(event, sector) {
    this.at = event.at;
    if (event.node === undefined) return;
    const node = this.node(event.node), file = node.files.get(event.ino ?? (event.change && event.change.ino));
    switch (event.k) {
      case "files": this.list(node, event.files); break;
      case "length": if (file) { file.cached_len = event.cached; file.durable_len = event.durable; } break;
      case "submit": if (file) file.flight.push(event.record); break;
      case "land": for (const f of node.files.values()) f.flight = f.flight.filter(w => w.landed !== event.at); break;
      case "change":
        if (["create", "remove", "rename"].includes(event.what)) node.names.push(event.change);
        else if (file) { file.pending.push(event.change); forEachSector(event, sector, s => file.damage.delete(s)); }
        break;
      case "durable": event.changes.forEach(change => this.settle(node, change, sector, "")); break;
      case "dropped": event.changes.forEach(change => this.settle(node, change, sector, "forgotten")); break;
      case "resolve": if (event.change) this.settle(node, event.change, sector, event.fate, event.kept); break;
      case "damage": if (file) file.damage.set(event.sector, event.readable); break;
      case "heal": for (const f of node.files.values()) f.damage.clear(); break;
      case "crash":
        node.crashed = true;
        node.ghosts = [];
        for (const f of node.files.values()) f.flight = [];
        break;
    }
  }

  // Names and lengths as they are; a file that only a crash can have taken stays to be seen, as a ghost.
  list(node, files) {
    const before = node.files;
    node.files = new Map();
    for (const f of files) {
      const old = before.get(f.ino) || { sectors: [], pending: [], flight: [], damage: new Map() };
      node.files.set(f.ino, { ...old, ...f });
      before.delete(f.ino);
    }
    if (node.crashed) for (const gone of before.values()) if (gone.cached) node.ghosts.push(gone);
    node.crashed = false;
  }

  settle(node, change, sector, mark, kept) {
    node.names = node.names.filter(c => c !== change);
    const file = node.files.get(change.ino);
    if (!file) return;
    file.pending = file.pending.filter(c => c !== change);
    if (change.what === "truncate" && (mark === "" || mark === "kept")) file.sectors.length = Math.min(file.sectors.length, Math.ceil(change.len / sector));
    if (change.what !== "write") return;
    forEachSector(change, sector, s => {
      const there = !kept || kept.some(([from, to]) => from < (s + 1) * sector && to > s * sector);
      const under = file.sectors[s] ? (file.sectors[s].mark === "lost" ? file.sectors[s].under : file.sectors[s].by) : null;
      file.sectors[s] = { by: change, under, mark: mark === "torn" && !there ? "torn away" : mark };
    });
  }
}

function forEachSector(range, sector, visit) {
  if (range.len > 0) for (let s = Math.floor(range.offset / sector); s * sector < range.offset + range.len; s++) visit(s);
}

// The disks at any position; every so many events a copy is kept to start from.
function history(life) {
  const KEEP_EVERY = 512, kept = [new Disks()];
  return at => {
    let from = Math.min(Math.floor((at + 1) / KEEP_EVERY), kept.length - 1);
    let disks = kept[from].clone();
    while (disks.at < at) {
      disks.apply(life.events[disks.at + 1], life.head.sector);
      if ((disks.at + 1) % KEEP_EVERY === 0 && kept.length === (disks.at + 1) / KEEP_EVERY) kept.push(disks.clone());
    }
    return disks;
  };
}

// What a cell of the map shows: its class, and in words why.
function cellOf(life, file, s) {
  const sector = life.head.sector, covers = c => c.what === "write" && c.offset < (s + 1) * sector && c.offset + c.len > s * sector;
  const by = change => change ? writer(life, change) : "nobody: zeros, or what was there at the beginning";
  const flying = file.flight.find(w => w.offset < (s + 1) * sector && w.offset + w.len > s * sector);
  const pending = file.pending.filter(covers), last = pending[pending.length - 1], base = file.sectors[s];
  if (file.damage.has(s)) return { state: "damaged", change: base && base.by, words: file.damage.get(s) ? "shows other bytes than were written" : "cannot be read" };
  if (last) return { state: "cached", change: last, words: "in the cache only; written by " + by(last), flying };
  if (flying) return { state: "flight", record: flying, words: "a write is under way, by " + life.lane(flying.task), flying };
  if (!base) return { state: s * sector < file.cached_len ? "zeros" : "beyond", words: "written by " + by(null) };
  const words = {
    "": "durable; written by " + by(base.by),
    kept: "survived the power cut without a sync; written by " + by(base.by),
    torn: "the part that arrived of a torn write, by " + by(base.by),
    "torn away": "the part that did not arrive of a torn write, by " + by(base.by) + "; holds what was there before: " + by(base.under),
    lost: "LOST: written by " + by(base.by) + "; holds what was there before: " + by(base.under),
    forgotten: "FORGOTTEN by a failed sync: reads may still show it, the medium may never have it; written by " + by(base.by),
  }[base.mark];
  const state = { "": "durable", kept: "survived", torn: "torn", "torn away": "lost", lost: "lost", forgotten: "lost" }[base.mark];
  return { state, change: base.by, words, flying };
}

function writer(life, change) {
  const at = change.io ?? change.made;
  const who = change.write ? life.lane(change.write.task) : "nobody known";
  return who + " at " + life.number(change.write ? change.write.submit : at);
}
