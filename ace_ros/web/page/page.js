// The page: what comes over the WebSocket is shown, and buttons are sent to the server as they are pressed.
import { MapView } from "./map.js";

const QUIET = 3000; // ms without a picture, after which the one that is shown is marked as old
const PATIENCE = [500, 1000, 2000, 4000]; // ms between attempts to reach the robot
const $ = (id) => document.getElementById(id);
const map = new MapView($("map"));
let socket = null, attempts = 0, waiting = 0, lastPicture = 0, view = null;
const busy = new Set();

// --- the connection: only while somebody can see the page, as all that it shows costs the robot something ---

function connect() {
  clearTimeout(waiting);
  if (document.hidden || socket) return;
  const mine = socket = new WebSocket(location.href.replace(/^http/, "ws").replace(/[?#].*$/, "").replace(/[^/]*$/, "live"));
  mine.binaryType = "arraybuffer";
  mine.onopen = () => { attempts = 0; };
  mine.onmessage = (event) => { if (mine === socket) receive(event.data); };
  mine.onclose = () => {
    if (mine !== socket) return;
    socket = null;
    if (document.hidden) return;
    gone();
    waiting = setTimeout(connect, PATIENCE[Math.min(attempts++, PATIENCE.length - 1)]);
  };
}

function gone() {
  view = null;
  document.body.dataset.state = "gone";
  $("state").textContent = "no connection";
  $("sentence").textContent = "web_node does not answer: what is shown is old; trying again";
  buttons();
  map.pale(true);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden && socket) { const old = socket; socket = null; old.close(); }
  else connect();
});

function receive(data) {
  if (typeof data === "string") {
    const message = JSON.parse(data);
    if (message.kind === "view") show(message);
    else if (message.kind === "trail") map.trail(message.points);
    return;
  }
  const kind = String.fromCharCode(new Uint8Array(data, 0, 1)[0]);
  if (kind === "i") picture(new Uint8Array(data, 1));
  else if (kind === "c") map.cloud(data);
}

// --- what is shown ---

function show(message) {
  view = message;
  const { localization, mapping } = view;
  document.title = `${view.state} · ${view.robot}`;
  document.body.dataset.state = view.state;
  $("robot").textContent = view.robot;
  $("state").textContent = view.state === "absent" ? "nothing is running" : view.state;
  $("sentence").textContent = view.sentence;
  $("caption").textContent = view.picture;
  figures(localization.said && !localization.fault ? localization.said : null);
  mapped(mapping);
  buttons();
  list($("told"), view.told.slice().reverse(), ([, good, sentence], item) => {
    item.textContent = sentence;
    item.className = good ? "" : "bad";
  });
  const said = localization.fault ? null : localization.said;
  map.metric = metric();
  map.robot(view.pose, said && said.state === "localized", said ? said.alternatives : []);
  $("legend").textContent = said && said.map_name ? `map '${said.map_name}' seen from above, frame ${said.map_frame}` : "";
}

function figures(said) {
  const shown = [];
  const pose = view.pose, metres = metric();
  if (pose) shown.push([said && said.state === "localized" ? "x, y" : "last known x, y", `${short(pose.x, metres)}, ${short(pose.y, metres)}`]);
  if (pose) shown.push(["heading", `${Math.round(pose.yaw * 180 / Math.PI)}°`]);
  if (said) {
    if (said.translation_stddev !== null && said.state !== "lost") shown.push(["± position", length(said.translation_stddev, metres)]);
    if (said.inliers) shown.push(["inliers", `${said.inliers}/${said.candidates}`]);
    if (said.confidence !== null) shown.push(["confidence", said.confidence.toFixed(2)]);
    if (said.latency !== null) shown.push(["age", `${Math.round(said.latency * 1000)} ms`]);
  }
  list($("figures"), shown, ([name, value], item) => {
    if (!item.firstChild) item.append(document.createElement("dt"), document.createElement("dd"));
    item.firstChild.textContent = name;
    item.lastChild.textContent = value;
  }, "div");
}

// Whether the map that is shown is in metres: that of the localizer, else the one that is being made.
function metric() {
  const { localization, mapping } = view;
  if (localization.said && localization.said.map_name) return localization.said.metric;
  return !mapping.said || mapping.said.metric;
}

function length(value, metres) {
  if (!metres) return `${short(value, metres)} units`;
  return value < 0.1 ? `${(value * 100).toFixed(1)} cm` : `${short(value, metres)} m`;
}

const short = (value, metres) => metres ? value.toFixed(2) : String(Number(value.toPrecision(3)));

function mapped(mapping) {
  const said = mapping.fault ? null : mapping.said, training = Boolean(said) && said.state === "training";
  $("mapping").hidden = !said; // why, the buttons say
  $("mapping-state").textContent = said ? `${said.state}:` : "";
  $("mapping-message").textContent = said ? said.message : "";
  $("progress").hidden = !training;
  $("progress").value = training ? said.progress || 0 : 0;
  const parts = [];
  if (training) {
    parts.push(`${said.stage} ${Math.round(100 * (said.progress || 0))} %`);
    if (said.places > 1) parts.push(`${said.places_done} of ${said.places} places`);
    if (said.seconds_left !== null) parts.push(`${Math.ceil(said.seconds_left)} s left`);
    if (said.first_map) parts.push("a first map is there already: Localize works");
  } else if (said) {
    parts.push(`${said.frames_taken} frames taken of ${said.frames_received} images`);
    if (said.held_back_frames) {
      const off = said.held_back_translation === null ? "" : `, median ${length(said.held_back_translation, said.metric)} off`;
      parts.push(`map '${said.map_name}': ${Math.round(100 * said.held_back_localized)} % of ${said.held_back_frames} held-back views found${off}`);
    }
  }
  $("stage").textContent = parts.join(" · ");
  list($("advice"), said ? said.advice : [], (sentence, item) => { item.textContent = sentence; });
}

// Elements that are there are used again: nothing piles up, and what is selected stays selected.
function list(parent, contents, fill, tag = "li") {
  while (parent.children.length > contents.length) parent.lastChild.remove();
  contents.forEach((content, index) => {
    let item = parent.children[index];
    if (!item) parent.append(item = document.createElement(tag));
    fill(content, item);
  });
}

let url = "", upcoming = null;
function picture(bytes) {
  lastPicture = Date.now();
  upcoming = bytes;
  if (!url) paint();
}

// The next picture is given to the browser when it has drawn the one before: it may be slower than the robot.
function paint() {
  const image = $("picture");
  url = URL.createObjectURL(new Blob([upcoming], { type: "image/jpeg" }));
  upcoming = null;
  image.hidden = false;
  image.classList.remove("old");
  image.src = url;
}
for (const event of ["load", "error"])
  $("picture").addEventListener(event, () => {
    URL.revokeObjectURL(url);
    url = "";
    if (upcoming) paint();
  });
setInterval(() => $("picture").classList.toggle("old", Date.now() - lastPicture > QUIET), 500);

// --- buttons ---

function buttons() {
  const training = Boolean(view && view.mapping.said && !view.mapping.fault && view.mapping.said.state === "training");
  const reasons = new Map(); // sentence -> the buttons that it stands for
  for (const button of document.querySelectorAll("[data-deed]")) {
    const deed = button.dataset.deed, known = view && view.buttons[deed];
    if (deed === "build") button.hidden = training;
    if (deed === "cancel") button.hidden = !training;
    button.disabled = !known || Boolean(known.why) || busy.has(deed);
    button.classList.toggle("busy", busy.has(deed));
    if (known && known.why && !button.hidden && deed !== "forget")
      reasons.set(known.why, [...(reasons.get(known.why) || []), button.textContent]);
  }
  list($("reasons"), [...reasons], ([why, names], item) => {
    if (!item.firstChild) item.append(document.createElement("b"), document.createTextNode(""));
    item.firstChild.textContent = names.join(", ");
    item.lastChild.nodeValue = `: ${why}`;
  });
}

async function agreed(question) {
  if (!question) return true;
  const dialog = $("question");
  $("asked").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "yes";
}

for (const button of document.querySelectorAll("[data-deed]"))
  button.addEventListener("click", async () => {
    const deed = button.dataset.deed;
    if (!view || busy.has(deed) || !(await agreed(view.buttons[deed].asks))) return;
    busy.add(deed);
    buttons();
    try {
      await fetch(`do/${deed}`, { method: "POST" }); // what came of it is among what is told
    } catch {
      // the connection is gone, which shows by itself
    } finally {
      busy.delete(deed);
      buttons();
    }
  });

$("fit").addEventListener("click", () => map.fit());
buttons();
connect();
