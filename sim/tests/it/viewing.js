// Moves through a page as a person would, and leaves what it saw in place of the page.
const seen = {};
const press = name => document.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
const at = () => Number(document.body.dataset.position);
const shown = selector => document.querySelectorAll(selector).length;
const title = () => document.querySelector("#detail h3").textContent;

seen.began = at();
seen.lost_cells = shown("#files .cell.lost, #files .cell.torn");
press("Home");
seen.home = at();
press("ArrowRight");
press("ArrowRight");
press("ArrowLeft");
seen.stepped = at();
press("c");
seen.crash = title();
seen.cached_cells = shown("#files .cell.cached, #files .cell.flight");
press("End");
seen.end = title();

const slider = document.getElementById("slider");
slider.value = 4;
slider.dispatchEvent(new Event("input"));
seen.slid = at();

const box = document.getElementById("search");
box.value = "sync log";
box.dispatchEvent(new Event("input"));
seen.found = shown(".row");
seen.all_match = [...document.querySelectorAll(".row")].every(row => /sync/.test(row.textContent) && /log/.test(row.textContent));

document.getElementById("axis-time").click();
press("+");
press("-");
seen.drawn = [...document.querySelectorAll("canvas")].every(canvas => canvas.width > 100);
// Every position can be gone to, forwards and backwards.
const stride = Math.ceil(life.events.length / 200), some = life.events.filter(event => event.at % stride === 0);
for (const event of some) go(event.at);
for (const event of some.reverse()) go(event.at);

seen.lanes = [...document.querySelectorAll(".lane")].map(lane => lane.dataset.lane);
seen.violation = document.getElementById("violation").textContent;
seen.failures = failures;
document.body.replaceChildren(Object.assign(document.createElement("pre"), { id: "seen", textContent: JSON.stringify(seen) }));
