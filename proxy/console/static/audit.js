// The newest page of the audit log grows as records are written: new rows on top, until somebody pauses it.
// Without this script the page is as it was when it was asked for.

const MOST_ROWS = 200; // on the page, and that wait while it is paused
const DRAW_EVERY = 250, SAY_EVERY = 5000; // milliseconds; screen readers are told no more often than that

const box = document.getElementById("live");
const rows = document.getElementById("records");
const said = document.getElementById("live-said");
const button = document.getElementById("live-pause");

let waiting = [], missed = 0, paused = false, over = false;
let fresh = 0, latest = "", spoke = 0;
let newest = Number(rows.querySelector("tr")?.dataset.seq ?? 0);

function element(name, text, children = []) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function classed(name, kind, text) {
  const made = element(name, text);
  made.className = kind;
  return made;
}

function summary(record) {
  const made = element("summary", record.what);
  if (record.beside) made.append(" ", classed("span", "quiet", record.beside));
  if (record.failed || record.reason) made.append(" ", classed("span", "bad", record.reason || "failure"));
  return made;
}

function details(record) {
  const made = element("details", "", [summary(record)]);
  if (record.life) {
    const link = element("a", "The life of this instance");
    link.href = `${box.dataset.at}/instance?of=${encodeURIComponent(record.life)}`;
    made.append(element("p", "", [link]));
  }
  const members = record.members.flatMap(([name, value]) => [element("dt", name), element("dd", value)]);
  made.append(element("dl", "", members), element("p", "As it stands in the log:"), element("pre", record.raw));
  return made;
}

function row(record) {
  const time = element("time", record.moment);
  time.dateTime = record.stamp;
  const number = classed("th", "number", String(record.seq));
  number.scope = "row";
  const cells = [time, details(record)].map((each) => element("td", "", [each]));
  const made = element("tr", "", [number, ...cells, element("td", record.who), element("td", record.project || "–")]);
  made.className = record.failed ? "failed new" : "new";
  made.dataset.seq = record.seq;
  return made;
}

function say(text) {
  if (said.textContent !== text) said.textContent = text;
}

function draw() {
  if (over || paused || waiting.length === 0) return;
  const came = waiting;
  waiting = [];
  document.getElementById("none")?.remove();
  rows.prepend(...came.map(row).reverse());
  while (rows.rows.length > MOST_ROWS && !rows.lastElementChild.contains(document.activeElement)) {
    rows.lastElementChild.remove();
  }
  fresh += came.length;
  latest = came.at(-1).what;
}

function speak() {
  const now = Date.now();
  if (over || now - spoke < SAY_EVERY) return;
  if (paused) {
    if (waiting.length + missed) say(`Paused. Waiting: ${waiting.length + missed}.`);
  } else if (fresh) {
    say(`Live. New: ${fresh}, the last: ${latest}.${missed ? ` Not shown: ${missed}, reload the page.` : ""}`);
    fresh = 0;
  } else {
    return;
  }
  spoke = now;
}

function take(event) {
  const record = JSON.parse(event.data);
  if (record.seq <= newest) return;
  newest = record.seq;
  waiting.push(record);
  if (waiting.length > MOST_ROWS) {
    waiting.shift();
    missed += 1;
  }
}

function end(why) {
  over = true;
  button.disabled = true;
  say(`Not live any more: ${why}. Reload the page to go on.`);
}

function follow() {
  const source = new EventSource(box.dataset.stream);
  source.onopen = () => say(paused ? "Paused." : "Live. New records appear on top.");
  source.onmessage = take;
  source.addEventListener("dropped", () => say("This page did not keep up and was dropped. It goes on where it was."));
  source.addEventListener("ended", (event) => {
    source.close();
    end(JSON.parse(event.data).reason);
  });
  source.onerror = () => {
    if (over) return;
    if (source.readyState === EventSource.CLOSED) end("the stream was refused");
    else say("The connection was cut off. It is tried again.");
  };
}

button.addEventListener("click", () => {
  paused = !paused;
  button.textContent = paused ? "Go on" : "Pause";
  say(paused ? "Paused. New records wait." : "Live. New records appear on top.");
  spoke = Date.now();
  draw();
});
box.hidden = false;
setInterval(draw, DRAW_EVERY);
setInterval(speak, DRAW_EVERY);
follow();
