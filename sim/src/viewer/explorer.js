// The lower half of the page, and the ways to move: the disk at the position, the list of events, slider and keys.

const LEGEND = [["durable", "durable"], ["survived", "survived a power cut unsynced"], ["cached", "cached only: a power cut may take it"], ["flight", "write under way"], ["torn", "torn: this part arrived"], ["lost", "lost: holds what was there before"], ["damaged", "damaged"], ["zeros", "never written"]];
// The cells of all files, and of one; a file of so few has room for the numbers of the writes that it holds.
const CELLS_MAX = 6000, FILE_CELLS_MAX = 1024, WIDE_MAX = 256, ROW = 22;

// ---- the disk

function drawDisk() {
  const disks = disksAt(position), chosen = covered(life.events[position]);
  const rows = [], all = [...disks.nodes.values()].reduce((sum, node) => sum + node.files.size, 0);
  const cells_max = Math.min(FILE_CELLS_MAX, Math.max(24, Math.floor(CELLS_MAX / Math.max(all, 1))));
  for (const [number, node] of [...disks.nodes].sort((a, b) => a[0] - b[0])) {
    const files = [...node.files.values()].sort((a, b) => (a.cached || a.durable || "~").localeCompare(b.cached || b.durable || "~"));
    for (const file of files) rows.push(fileRow(file, chosen, disks.nodes.size > 1 ? number : null, cells_max));
    for (const ghost of node.ghosts) rows.push(element("div", { class: "file ghost" }, element("div", { class: "file-name" }, ghost.cached, element("em", { class: "lost" }, "lost in the crash: its name was not durable"))));
    if (node.names.length) rows.push(element("div", { class: "names" }, "Names that are not durable yet: ", ...node.names.flatMap((change, i) => [i ? ", " : "", element("b", {}, change.what + " " + change.name), " (", link(change.io ?? change.made), ")"])));
  }
  if (!rows.length) rows.push(element("p", { class: "empty" }, "The disk is empty."));
  $("files").replaceChildren(...rows);
  const first = $("files").querySelector(".chosen");
  if (first) first.scrollIntoView({ block: "nearest" });
}

function fileRow(file, chosen, node, cells_max) {
  const { sector } = life.head;
  const notes = [];
  if (file.cached && !file.durable) notes.push("name not durable");
  else if (!file.cached && file.durable) notes.push("removed; on the medium still " + quoted(file.durable));
  else if (!file.cached) notes.push("removed, still open");
  else if (file.cached !== file.durable) notes.push("on the medium still " + quoted(file.durable));
  const length = bytes(file.cached_len) + (file.durable_len === file.cached_len ? "" : ", " + bytes(file.durable_len) + " on the medium");
  const count = Math.max(Math.ceil(Math.max(file.cached_len, file.durable_len) / sector), file.sectors.length, ...file.flight.map(w => Math.ceil((w.offset + w.len) / sector)));
  const each = Math.ceil(count / cells_max) || 1, rank = ["lost", "torn", "damaged", "cached", "flight", "survived", "durable", "zeros", "beyond"];
  const wide = count <= Math.min(WIDE_MAX, cells_max), cells = element("div", { class: "cells" + (wide ? " wide" : "") });
  for (let s = 0; s < count; s += each) {
    let cell = cellOf(life, file, s);
    for (let more = s + 1; more < Math.min(s + each, count); more++) {
      const other = cellOf(life, file, more);
      if (rank.indexOf(other.state) < rank.indexOf(cell.state)) cell = other;
    }
    const isChosen = chosen && chosen.some(c => c.ino === file.ino && c.offset < (s + each) * sector && c.offset + c.len > s * sector);
    const beyond = s * sector >= Math.max(file.cached_len, file.durable_len) ? " beyond-end" : "";
    const made = element("i", { class: "cell " + cell.state + (cell.flying ? " flying" : "") + (isChosen ? " chosen" : "") + beyond, title: (each > 1 ? "sectors " + s + " to " + (s + each - 1) : "sector " + s) + ": " + cell.words + (beyond ? " (behind the end of the file)" : "") });
    const target = cell.change ? (cell.change.write ? cell.change.write.submit : cell.change.io ?? cell.change.made) : cell.record ? cell.record.submit : null;
    if (target !== null) made.addEventListener("click", () => go(target));
    if (wide && target !== null) made.append(life.number(target));
    cells.append(made);
  }
  const name = element("div", { class: "file-name" }, (node === null ? "" : "node " + node + ": ") + (file.cached || file.durable || "inode " + file.ino), element("span", {}, length), ...notes.map(note => element("em", {}, note)));
  return element("div", { class: "file" + (file.cached ? "" : " removed") }, name, cells);
}

// The parts of files that an event is about.
function covered(event) {
  if (!event) return null;
  if (event.record) return [event.record];
  if (event.changed) return [event.changed];
  if (event.k === "io" && event.op === "read" && event.result > 0) return [{ ino: event.ino, offset: event.offset, len: event.result }];
  if (event.covers) return event.covers.filter(change => change.what === "write");
  if (event.k === "crash") return event.fates.map(fate => fate.change).filter(change => change && change.what === "write");
  return null;
}

function drawDetail() {
  const event = life.events[position], box = [element("h3", {}, life.number(position) + "  " + describe(event))];
  const line = (...parts) => box.push(element("p", {}, ...parts));
  if (event.k === "io" && event.began < event.t) line("Submitted at " + time(event.began) + ", completed at " + time(event.t) + ": " + time(event.t - event.began) + " under way.");
  if (event.k === "fault") line("What is owed: " + event.owes + ".");
  if (event.record) box.push(writeLife(event.record));
  if (event.k === "io" && event.covers && event.covers.length) {
    line(event.result < 0 ? "The sync failed. What became of what it should have made durable:" : "It made durable:");
    box.push(element("ul", {}, ...event.covers.slice(0, 30).map(change => element("li", {}, changeWords(change), " ", link(change.io ?? change.made), event.result < 0 && change.end ? ": " + (change.end.kind === "durable" ? "durable all the same" : "forgotten") : ""))));
  }
  if (event.k === "crash" && event.fates.length) {
    line("What no sync had made durable, in the order made, and what became of it:");
    box.push(element("table", {}, ...event.fates.map(fate => element("tr", { class: fate.fate === "kept" ? "" : fate.fate === "torn" ? "torn" : "lost" }, element("td", {}, fate.change ? changeWords(fate.change) : ""), element("td", {}, fate.change ? link(fate.change.write ? fate.change.write.submit : fate.change.io ?? fate.change.made) : ""), element("td", {}, fate.change && fate.change.write && fate.change.write.io === null ? "under way" : "completed"), element("td", {}, fate.words + (fate.fate === "kept" && fate.change && fate.change.end.kind === "gone" ? ", but the name of its file is lost" : ""))))));
  }
  if (event.k === "violation") for (const context of life.head.context) line(context);
  $("detail").replaceChildren(...box);
}

// The stations of a write, each a link.
function writeLife(record) {
  const stations = [[record.submit, "submitted by " + life.lane(record.task)]];
  if (record.io !== null) stations.push([record.io, "completed: " + (record.change ? "in the cache, not durable" : "failed")]);
  if (record.said) stations.push([record.said.at, "“" + describe(record.said) + "”"]);
  else if (record.overtaken) stations.push([record.overtaken.at, "the crash came before it completed" + (record.change ? "; it had arrived, by chance" : "")]);
  const end = outcome(life, record);
  if (record.change) stations.push([end.at, end.text, end.tone]);
  stations.sort((a, b) => a[0] - b[0]);
  return element("ol", { class: "stations" }, ...stations.map(([at, text, tone]) => element("li", { class: (at === position ? "here " : "") + (tone || "") }, link(at), " ", text)));
}

// ---- the list

let listed = [], words = [];

function search() {
  words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const polls = $("polls").checked;
  listed = life.shown.filter(at => {
    const event = life.events[at];
    if (event.k === "poll" && !polls) return false;
    if (!words.length) return true;
    const note = remark(event), text = (life.number(at) + " " + describe(event) + " " + (note ? note.text : "")).toLowerCase();
    return words.every(word => text.includes(word));
  });
  $("count").textContent = listed.length + " of " + numbered.length;
  $("rows").style.height = listed.length * ROW + "px";
  drawRows();
}

function drawRows() {
  const box = $("events"), from = Math.max(0, Math.floor(box.scrollTop / ROW) - 10), to = Math.min(listed.length, from + Math.ceil(box.clientHeight / ROW) + 20);
  const rows = [];
  for (let i = from; i < to; i++) {
    const event = life.events[listed[i]], note = remark(event);
    rows.push(element("div", { class: "row " + tone(event) + (event.at === position ? " here" : ""), style: "top:" + i * ROW + "px", onclick: () => go(event.at) },
      element("span", { class: "n" }, event.n ? "#" + event.n : ""), element("span", { class: "t" }, time(event.t)),
      element("span", { class: "what", title: describe(event) }, describe(event)), note ? element("span", { class: "note " + note.tone }, note.text) : null));
  }
  $("rows").replaceChildren(...rows);
}

function reveal() {
  const i = listed.indexOf(position), box = $("events");
  if (i < 0) return;
  const top = i * ROW;
  if (top < box.scrollTop + ROW || top > box.scrollTop + box.clientHeight - 2 * ROW) box.scrollTop = Math.max(0, top - box.clientHeight / 2);
}

// ---- moving

function go(at) {
  position = Math.max(0, Math.min(at, life.events.length - 1));
  const event = life.events[position];
  // The slider moves along numbered events.
  let near = numbered.findIndex(n => n >= position);
  if (near < 0) near = numbered.length - 1;
  $("slider").value = near;
  $("position").textContent = (event.n ? "#" + event.n + " of " + numbered.length : "a step") + ", " + time(event.t);
  if (keepInView()) drawLanes(); else moveCursor();
  drawDisk();
  drawDetail();
  reveal();
  drawRows();
  document.body.dataset.position = event.n || "";
}

// The next position in `direction` that `wanted` accepts.
function seek(direction, wanted) {
  for (let at = position + direction; at >= 0 && at < life.events.length; at += direction) if (wanted(life.events[at])) return go(at);
}

const step = direction => seek(direction, event => event.n || (event.k === "poll" && $("polls").checked));
const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => go(numbered[0]), End: () => go(life.events.length - 1),
  c: () => seek(1, e => e.k === "crash"), C: () => seek(-1, e => e.k === "crash"), f: () => seek(1, e => e.k === "fault"), F: () => seek(-1, e => e.k === "fault"),
  w: () => seek(1, e => e.k === "submit"), W: () => seek(-1, e => e.k === "submit"), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "/": () => $("search").focus(),
};

function listen() {
  document.addEventListener("keydown", key => {
    if (key.target === $("search")) { if (key.key === "Escape" || key.key === "Enter") { $("search").blur(); if (key.key === "Enter" && listed.length) go(listed.find(at => at > position) ?? listed[0]); } return; }
    if (key.ctrlKey || key.metaKey || key.altKey || !KEYS[key.key]) return;
    key.preventDefault();
    KEYS[key.key]();
  });
  $("slider").max = numbered.length - 1;
  $("slider").addEventListener("input", () => go(numbered[$("slider").valueAsNumber]));
  for (const [id, act] of [["first", KEYS.Home], ["back", KEYS.ArrowLeft], ["forward", KEYS.ArrowRight], ["last", KEYS.End], ["zoom-in", KEYS["+"]], ["zoom-out", KEYS["-"]], ["axis-events", () => setAxis("events")], ["axis-time", () => setAxis("time")]]) $(id).addEventListener("click", act);
  $("search").addEventListener("input", search);
  $("polls").addEventListener("change", search);
  $("events").addEventListener("scroll", drawRows);
  window.addEventListener("resize", () => { drawLanes(); drawRows(); });
}

// Where a reader wants to begin: after what looks like the cause, or at the end.
function beginning() {
  const asked = /^#(\d+)$/.exec(location.hash);
  if (asked) return numbered[Math.min(asked[1], numbered.length) - 1] ?? 0;
  const troubles = life.crashes.concat(life.faults.filter(hurts).map(fault => life.events[fault.io])).sort((a, b) => a.at - b.at);
  // What a program had vouched for, and lost, is the likeliest cause.
  const vouched = trouble => taken(trouble).some(change => change.write && change.write.said) || (trouble.record && trouble.record.said);
  const cause = troubles.filter(vouched).pop() || troubles.filter(trouble => taken(trouble).length).pop() || troubles.pop();
  if (!cause) return life.events.length - 1;
  let at = cause.at;
  while (at + 1 < life.events.length && (life.events[at + 1].k === "fate" || PLUMBING.has(life.events[at + 1].k))) at++;
  while (!life.events[at].n) at--;
  return at;
}

head();
layLanes();
listen();
for (const [state, text] of LEGEND) $("legend").append(element("span", {}, element("i", { class: "cell " + state }), text));
setAxis("events");
search();
go(beginning());
