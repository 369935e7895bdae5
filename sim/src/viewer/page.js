// Draws the life that the model has understood: head, lanes, slider, the disk at the position, the list of events.

const data = JSON.parse(document.getElementById("data").textContent);
const life = understand(data), disksAt = history(life);
const $ = id => document.getElementById(id);
const COLOR = { durable: "#2f855a", survived: "#81c79b", cached: "#eeb32c", flight: "#3b82d6", torn: "#8b4fc4", gone: "#a9b4c2", lost: "#d13438", damaged: "#3a3a3a", step: "#8a94a6", read: "#9bb3cc", names: "#b08968", note: "#5f6b7a" };
const numbered = life.events.filter(event => event.n).map(event => event.at);
let position = 0, axis = "events", view = [0, 1];

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

const bytes = n => n.toLocaleString("en") + (n === 1 ? " byte" : " bytes");
const time = ns => ns < 1e3 ? ns + " ns" : ns < 1e6 ? (ns / 1e3).toFixed(1) + " µs" : ns < 1e9 ? (ns / 1e6).toFixed(3) + " ms" : (ns / 1e9).toFixed(3) + " s";
const link = (at, text) => element("a", { href: "#", onclick: click => { click.preventDefault(); go(at); } }, text || life.number(at));
const quoted = path => path === "" ? "the root directory" : '"' + path + '"';
const range = event => bytes(event.len) + " at " + event.offset.toLocaleString("en");

// What happened, in words.
function describe(event) {
  const who = life.lane(event.task);
  switch (event.k) {
    case "spawn": return life.lane(event.task) + " starts on node " + event.node;
    case "poll": return life.lane(event.task) + " runs";
    case "submit": return who + " submits a write of " + range(event) + " to " + quoted(event.path);
    case "io": {
      if (event.renamed && event.result >= 0) return who + ": rename " + event.renamed + " done";
      const place = event.op === "read" || event.op === "write" ? ", " + range(event) : event.op === "truncate" || event.op === "allocate" ? " to " + bytes(event.len) : "";
      const failed = event.result < 0 ? " FAILED with " + (ERRNO[-event.result] || "errno " + -event.result) : "";
      const short = event.op === "write" && event.result >= 0 && event.result < event.len ? " SHORT: only " + bytes(event.result) : event.op === "read" && event.result >= 0 && event.result < event.len ? ", got " + bytes(event.result) : "";
      return who + ": " + event.op + " " + quoted(event.place) + place + (failed || short || (event.op === "read" ? "" : " done"));
    }
    case "fault": return "FAULT: " + event.fault + (event.io ? ", met by " + life.lane(life.events[event.io].task) + ": " + life.events[event.io].op + " " + quoted(life.events[event.io].place) : "");
    case "crash": return "CRASH of node " + event.node + ": " + event.crash + ". " + (event.fates.length ? event.changes + (event.changes === 1 ? " change was" : " changes were") + " not durable: " + tally(event) : event.crash === "process kill" ? "The cache stays" + (event.changes ? ", and " + event.changes + (event.changes === 1 ? " change" : " changes") + " in it not durable" : ", and all of it is durable") : "Everything was durable");
    case "fate": return "after the crash: " + event.change + ": " + event.fate;
    case "segment": return "connection " + event.connection + ", node " + event.from + " to node " + event.to + ": " + event.what + (event.len ? " of " + bytes(event.len) + " at " + event.seq.toLocaleString("en") : "") + (event.fate === "arrived" ? "" : " " + event.fate.toUpperCase());
    case "connection": return "connection " + event.connection + " at node " + event.node + ": " + event.what;
    case "mark": return "reached: " + event.text;
    case "buggify": return "made to behave unusually: " + event.text;
    case "note": return (event.task === null ? "" : who + ": ") + event.text;
    case "violation": return "VIOLATION: " + event.text;
    default: return event.text || event.k;
  }
}

function tally(crash) {
  const counts = new Map();
  for (const fate of crash.fates) counts.set(fate.fate, (counts.get(fate.fate) || 0) + 1);
  return [...counts].map(([fate, count]) => count + " " + fate).join(", ");
}

// The class of an event's row, and the words at its end.
function remark(event) {
  if ((event.k === "io" && event.op === "write") || event.k === "submit") return event.record ? outcome(life, event.record) : null;
  if (event.k === "io" && event.covers && event.covers.length) return event.result < 0
    ? { text: "forgets " + taken(event).length + " of " + event.covers.length + (event.covers.length === 1 ? " change" : " changes"), tone: "lost" }
    : { text: "makes " + event.covers.length + (event.covers.length === 1 ? " change" : " changes") + " durable", tone: "durable" };
  return null;
}

function tone(event) {
  if (event.k === "crash" || event.k === "violation") return "alarm";
  if (event.k === "fault" || (event.k === "io" && event.result < 0 && -event.result !== 2)) return "warn";
  if (event.k === "fate") return event.fate === "kept" ? "kept" : event.fate.startsWith("torn") ? "torn" : "lost";
  return event.k;
}

// ---- head

function head() {
  const { head } = life;
  const bad = head.violation !== null;
  document.body.classList.toggle("failed", bad);
  $("verdict").append(
    element("strong", {}, bad ? "VIOLATION" : "ENDED WELL"),
    element("span", { id: "violation" }, bad ? head.violation : head.ended.commits + " commits, " + head.ended.checks + " checks"),
    ...head.context.map(line => element("div", { class: "context" }, line)));
  const fact = (name, value) => [element("div", {}, element("dt", {}, name), element("dd", { id: "fact-" + name }, value))];
  const copy = element("button", { type: "button", onclick: () => navigator.clipboard && navigator.clipboard.writeText(head.command) }, "copy");
  $("facts").append(
    ...fact("workload", head.workload), ...fact("seed", String(head.seed)),
    ...fact("replay", element("span", {}, element("code", {}, head.command), " ", copy)),
    ...fact("faults", head.faults.map(([name, count]) => name + (count > 1 ? " × " + count : "")).join(", ") || "none"),
    ...fact("trace", head.trace_hash + ", " + numbered.length + " events, " + time(life.events[life.events.length - 1].t)));
  const last = life.crashes[life.crashes.length - 1];
  const troubles = life.crashes.filter(crash => crash === last || taken(crash).length).concat(life.faults.filter(hurts)).sort((a, b) => a.at - b.at);
  const told = troubles.slice(-8), others = life.crashes.length + life.faults.length - told.length;
  if (others > 0) $("story").append(element("div", { class: "others" }, others + (others === 1 ? " other crash or fault, earlier or harmless, is" : " other crashes and faults, earlier or harmless, are") + " not listed here"));
  for (const trouble of told) $("story").append(trouble.k === "crash" ? crashStory(trouble) : faultStory(trouble));
}

// Whether a fault is worth a line in the head: it damages what is read, or its operation did less than it was asked and is
// not a read, which can be made again.
const hurts = fault => fault.io && fault.owes.includes("never answer wrongly") || fault.io && life.events[fault.io].op !== "read" && (life.events[fault.io].result < 0 || life.events[fault.io].result < life.events[fault.io].len);

// The changes that an event took away: a crash, or a failed sync.
function taken(event) {
  if (event.k === "crash") return event.fates.filter(fate => fate.change && fate.fate !== "kept").map(fate => fate.change);
  return (event.covers || []).filter(change => change.end && change.end.kind === "dropped");
}

// What a task said right after its write.
const after = record => record && record.said ? [", and then ", link(record.said.at), " “" + describe(record.said) + "”"] : [];

// One crash in a few lines: what it took, and what the program had been told of it.
function crashStory(crash) {
  return element("div", { class: "crash-line" }, link(crash.at), " ", describe(crash), ...tookStory(crash));
}

// One fault: what met it, and what that took or left half done.
function faultStory(fault) {
  const met = life.events[fault.io];
  return element("div", { class: "crash-line" }, link(fault.at), " FAULT: " + fault.fault + " (", link(met.at), " " + describe(met) + ")", ...after(met.record), ...tookStory(met));
}

function tookStory(event) {
  const changes = taken(event);
  const lines = changes.slice(0, 6).map(change => {
    const record = change.write, end = change.end.kind === "dropped" ? "forgotten" : change.end.kind;
    const before = record && record.io === null ? ", was under way" : record && life.events[record.io].result < 0 ? ", had failed with this part made" : change.end.kind === "dropped" ? ": the sync that failed forgot it" : record ? ", had completed without a sync" : ", had completed without a sync of its " + (change.name ? "directory" : "file");
    return element("div", { class: "took" }, element("b", { class: end === "torn" ? "torn" : "lost" }, end), " the ", changeWords(change), " (", link(stationOf(change)), ")", before, ...after(record));
  });
  if (changes.length > lines.length) lines.push(element("div", { class: "took" }, "and " + (changes.length - lines.length) + " more"));
  return lines;
}

// Where a reader finds a change: its write's completion, else the operation that made it.
const stationOf = change => change.write ? change.write.io ?? change.write.submit : change.io ?? change.made;

const DEED = { create: "creation", remove: "removal", rename: "rename", truncate: "truncation", allocate: "allocation" };

const changeWords = change => change.what === "write"
  ? "write of " + range(change) + " to " + quoted(change.write ? change.write.path : change.path) + (change.write ? " by " + life.lane(change.write.task) : "")
  : DEED[change.what] + " of " + (change.name || quoted(change.path) + " to " + bytes(change.len));

// ---- lanes

const lanes = [];

function lane(key, label, kind) {
  let found = lanes.find(l => l.key === key);
  if (!found) lanes.push(found = { key, label, kind, items: [] });
  return found;
}

// Which lanes there are, and what lies on each: bars from `a` to `b`, positions both.
function layLanes() {
  const trouble = lane("trouble", "crashes, faults", "world"), notes = lane("notes", "notes, marks", "world");
  for (const event of life.events) {
    const { at } = event;
    if (event.k === "crash" || event.k === "violation" || event.k === "fault") trouble.items.push({ a: at, b: at, event });
    if (event.k === "note" || event.k === "mark" || event.k === "buggify") notes.items.push({ a: at, b: at, event });
  }
  const kinds = [["write", "disk: writes"], ["sync", "disk: syncs"], ["names", "disk: names"], ["read", "disk: reads"]];
  const kindOf = op => op === "write" || op === "read" ? op : op.startsWith("sync") ? "sync" : "names";
  // A machine that never used its disk has no lanes for it.
  const used = new Set(life.events.filter(event => event.k === "io" || event.k === "submit").map(event => event.node).concat(0));
  const nodes = [...new Set(life.events.filter(event => event.k === "files" && used.has(event.node)).map(event => event.node))].sort((a, b) => a - b);
  for (const node of nodes) for (const [kind, label] of kinds) lane("disk " + node + " " + kind, label + (nodes.length > 1 ? " @" + node : ""), "disk");
  for (const event of life.events) if (event.k === "io") lane("disk " + event.node + " " + kindOf(event.op)).items.push({ a: event.began_at, b: event.at, event, began: event.began });
  for (const record of life.writes.values()) if (record.io === null) lane("disk " + record.node + " write").items.push({ a: record.submit, b: record.overtaken ? record.overtaken.at : life.events.length - 1, event: life.events[record.submit], cut: true });
  for (const event of life.events) {
    if (event.k === "connection") lane("connections", "network: connections", "network").items.push({ a: event.at, b: event.at, event });
    if (event.k === "segment") lane("network " + event.from + " " + event.to, "network: @" + event.from + " to @" + event.to, "network").items.push({ a: life.first(event.began), b: event.at, event, cut: event.fate !== "arrived" });
  }
  const tasks = [...life.tasks.values()].sort((x, y) => x.node - y.node || x.born - y.born);
  const first = new Map();
  for (const { name, node } of tasks) if (!first.has(node + ":" + name)) first.set(node + ":" + name, first.size);
  tasks.sort((x, y) => first.get(x.node + ":" + x.name) - first.get(y.node + ":" + y.name) || x.slot - y.slot);
  for (const task of tasks.filter(t => t.name !== "yield")) {
    lane("task " + task.node + ":" + task.name + ":" + task.slot, life.lane(task.task), "task").items.push({ a: task.born, b: task.died ?? life.events.length - 1, alive: true });
  }
  for (const event of life.events) {
    const task = event.k === "poll" && life.tasks.get(event.task);
    if (task && task.name !== "yield") lane("task " + task.node + ":" + task.name + ":" + task.slot).items.push({ a: event.at, b: event.at, event });
  }
  for (const made of lanes) {
    made.canvas = element("canvas", { height: 20 });
    made.canvas.addEventListener("click", mouse => { const item = nearest(made, mouse); if (item) go(item.event.n ? item.event.at : item.b); });
    made.canvas.addEventListener("mousemove", mouse => { const item = nearest(made, mouse); made.canvas.title = item ? life.number(item.event.at) + " " + describe(item.event) : ""; });
    made.canvas.addEventListener("wheel", wheel => { if (wheel.ctrlKey || wheel.shiftKey) { wheel.preventDefault(); zoom(wheel.deltaY < 0 ? 0.8 : 1.25); } }, { passive: false });
    $("lanes-inner").append(element("div", { class: "lane " + made.kind, "data-lane": made.key }, element("div", { class: "lane-name" }, made.label), made.canvas));
  }
  for (const [name, color] of [["not durable yet", COLOR.cached], ["made durable", COLOR.durable], ["gone with its file", COLOR.gone], ["torn", COLOR.torn], ["lost", COLOR.lost], ["sync", COLOR.flight], ["crash", "#d13438"]]) $("lane-key").append(element("i", { style: "background:" + color }), name + " ");
}

// Places along the axis. Along events, steps of tasks share the room between two numbered events.
let places = [];
function measure() {
  let last = 0;
  const steps = [];
  places = life.events.map((event, at) => {
    if (axis === "time") return event.t;
    if (!event.n) { steps.push(at); return last; }
    last = event.n;
    return last;
  });
  if (axis === "events") {
    let from = 0;
    for (let i = 0; i <= life.events.length; i++) {
      if (i < life.events.length && !life.events[i].n) continue;
      for (let j = from; j < i; j++) places[j] += (j - from + 1) / (i - from + 1);
      from = i + 1;
    }
  }
  view = extent();
}
const extent = () => { const end = places[places.length - 1] || 1, margin = Math.max(end / 100, 0.5); return [-margin, end + margin]; };

function nearest(made, mouse) {
  const box = made.canvas.getBoundingClientRect(), scale = box.width / (view[1] - view[0]);
  const x = mouse.clientX - box.left;
  let best = null, least = 12;
  for (const item of made.items) {
    if (item.alive) continue;
    const a = (places[item.a] - view[0]) * scale, b = (places[item.b] - view[0]) * scale;
    const away = x < a ? a - x : x > b ? x - b : 0;
    if (away < least || (away === least && best && item.b - item.a < best.b - best.a)) { best = item; least = away; }
  }
  return best;
}

function colorOf(item) {
  const { event } = item;
  if (event.k === "io" || event.k === "submit") {
    if (event.op === "write" || event.k === "submit") { const { tone } = outcome(life, event.record); return COLOR[tone === "bad" ? "lost" : tone]; }
    if (event.result < 0 && -event.result !== 2) return COLOR.lost;
    return event.op.startsWith("sync") ? COLOR.flight : event.op === "read" ? COLOR.read : COLOR.names;
  }
  if (event.k === "segment") return event.fate !== "arrived" || event.what === "reset" || event.what === "refuse" ? COLOR.lost : event.len ? COLOR.flight : COLOR.read;
  return event.k === "poll" ? COLOR.step : event.k === "connection" ? COLOR.names : event.k === "fault" ? "#e07b1a" : ["note", "mark", "buggify"].includes(event.k) ? COLOR.note : COLOR.lost;
}

function drawLanes() {
  const ratio = window.devicePixelRatio || 1;
  for (const { canvas, items, key } of lanes) {
    const width = canvas.clientWidth, height = 20, scale = width / (view[1] - view[0]);
    canvas.width = width * ratio; canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const x = place => (place - view[0]) * scale;
    for (const item of items) {
      const a = x(places[item.a]), b = x(places[item.b]);
      if (b < -20 || a > width + 20) continue;
      if (item.alive) { pen.fillStyle = "#e9eef5"; pen.fillRect(a, 4, Math.max(b - a, 2), 12); continue; }
      pen.fillStyle = colorOf(item);
      if (key === "trouble") glyph(pen, item.event, a);
      else if (item.a === item.b || item.event.k === "poll") pen.fillRect(a - 0.75, 4, 1.5, 12);
      else { pen.globalAlpha = 0.35; pen.fillRect(a, 6, Math.max(b - a, 2), 8); pen.globalAlpha = 1; pen.fillRect(a, 9, Math.max(b - a, 2), 2); pen.fillRect(b - 1.5, 4, 3, 12); if (item.cut) pen.fillText("✕", b - 4, 14); }
    }
    for (const crash of life.crashes) { pen.fillStyle = "rgba(209,52,56,.55)"; pen.fillRect(x(places[crash.at]) - 0.5, 0, 1, height); }
  }
  moveCursor();
  const show = place => axis === "time" ? time(Math.max(0, Math.round(place))) : "#" + Math.max(1, Math.round(place));
  const last = places[places.length - 1];
  $("window").textContent = show(view[0]) + " to " + show(Math.min(view[1], last));
}

function glyph(pen, event, x) {
  pen.font = "bold 14px sans-serif"; pen.textAlign = "center";
  pen.fillText(event.k === "crash" ? "✖" : event.k === "violation" ? "◆" : "▾", x, 15);
}

function zoom(factor) {
  const [low, high] = extent(), width = Math.min((view[1] - view[0]) * factor, high - low), at = places[position];
  const start = Math.min(Math.max(at - width / 2, low), high - width);
  view = [start, start + width];
  drawLanes();
}

// The line at the position; the lanes need not be drawn again for it.
function moveCursor() {
  const { canvas } = lanes[0], x = canvas.offsetLeft + (places[position] - view[0]) / (view[1] - view[0]) * canvas.clientWidth;
  $("cursor").style.left = x - 1 + "px";
}

// Whether the view had to move.
function keepInView() {
  const at = places[position], width = view[1] - view[0], [low, high] = extent();
  if (at < view[0] + width * 0.02 || at > view[1] - width * 0.02) {
    const start = Math.min(Math.max(at - width / 2, low), high - width);
    view = [start, start + width];
    return true;
  }
  return false;
}

function setAxis(to) {
  axis = to;
  $("axis-events").classList.toggle("on", to === "events");
  $("axis-time").classList.toggle("on", to === "time");
  measure();
  drawLanes();
}
