// Fills the page from the data embedded in it.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const figures = data.figures, frames = data.frames, metric = figures.metric;
const byId = (id) => document.getElementById(id);
const unit = metric ? "cm" : "% of depth";
const percent = (value, digits = 1) => (100 * value).toFixed(digits) + " %";
const known = (value) => value !== null && value !== undefined;
const distance = (value, digits = 2) => (known(value) ? (100 * value).toFixed(digits) : "–");
const angle = (value) => (known(value) ? value.toFixed(2) : "–");
const STATES = [["LOCALIZED", "good"], ["UNCERTAIN", "middling"], ["LOST", "bad"]];

function add(parent, name, text, className) {
  const node = parent.appendChild(document.createElement(name));
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function row(table, label, value, className) {
  const line = add(table, "tr");
  add(line, "th", label);
  add(line, "td", value, className || "number");
}

byId("title").textContent = data.title;
byId("subtitle").textContent = data.subtitle;

const far = metric ? "over 5 deg, or over 10 cm and 2 % of the depth" : "over 5 deg or 5 % of the depth";
const tiles = [
  [distance(figures.median_translation), metric ? "cm" : "% of depth", "median error of the position"],
  [angle(figures.median_rotation_deg), "deg", "median error of the rotation"],
  [(100 * figures.recall["5cm_5deg"]).toFixed(1), "%", `of frames within 5 ${unit}, 5 deg`],
  [(100 * figures.localized / figures.frames).toFixed(1), "%", "of frames localized"],
  [figures.false_confident, "", `localized, yet far off: ${far}`],
  figures.live && figures.live.latency_ms ? [figures.live.latency_ms.median.toFixed(0), "ms", "age of a pose, median"]
    : [figures.query_ms.median.toFixed(0), "ms", "a query, median"],
];
for (const [value, suffix, label] of tiles) {
  const tile = add(byId("tiles"), "div", undefined, "tile");
  const bold = add(tile, "b", value + " ");
  add(bold, "small", suffix);
  add(tile, "span", label);
}

byId("accuracy-note").textContent = `${figures.frames} frames; one without a pose counts as infinitely far off.`;
const bar = add(byId("states"), "div", undefined, "bar"), key = add(byId("states"), "div", undefined, "key");
for (const [state, colour] of STATES) {
  const count = figures[state.toLowerCase()];
  const part = add(bar, "i");
  part.style.cssText = `width:${(100 * count) / figures.frames}%;background:var(--${colour})`;
  const item = add(key, "span");
  add(item, "i").style.background = `var(--${colour})`;
  item.append(`${state.toLowerCase()}: ${count}`);
}
const accuracy = byId("accuracy");
row(accuracy, "median error", `${distance(figures.median_translation)} ${unit}, ${angle(figures.median_rotation_deg)} deg`);
for (const [name, fraction] of Object.entries(figures.recall)) {
  const [near, turn] = name.split("_").map((part) => parseFloat(part));
  row(accuracy, `within ${near} ${unit}, ${turn} deg`, percent(fraction));
}
row(accuracy, "not localized", percent(1 - figures.localized / figures.frames));
row(accuracy, `localized, yet far off: ${far}`, `${figures.false_confident}`);
row(accuracy, `localized, of those within 5 ${unit}, 5 deg`,
  known(figures.localized_among_5cm_5deg) ? percent(figures.localized_among_5cm_5deg) : "–");
row(accuracy, "NEES, median and 95 % (honest: 5.3, 12.6)",
  known(figures.nees_median) ? `${figures.nees_median.toFixed(1)}, ${figures.nees_p95.toFixed(1)}` : "–");
row(accuracy, "95 % ellipsoid holds the truth", known(figures.ellipsoid) ? percent(figures.ellipsoid) : "–");
row(accuracy, "time a query, median and 95 %", `${figures.query_ms.median.toFixed(0)} ms, ${figures.query_ms.p95.toFixed(0)} ms`);

// --- curves
const posed = frames.filter((f) => f.state !== "LOST" && known(f.translation));
const describe = (f) => `${f.name}\n${f.state.toLowerCase()}` +
  (known(f.translation) ? `, ${distance(f.translation)} ${unit}, ${angle(f.rotation)} deg` : "") +
  `\nconfidence ${f.confidence.toFixed(2)}, ${f.inliers} inliers` + (f.reason ? `\n${f.reason}` : "");

function span(values, floor, ceiling) {
  const sorted = values.filter((v) => v > 0).sort((a, b) => a - b);
  const low = sorted[Math.floor(sorted.length * 0.01)] ?? floor, high = sorted[sorted.length - 1] ?? ceiling;
  return { min: 10 ** Math.floor(Math.log10(Math.max(floor, low))), max: 10 ** Math.ceil(Math.log10(Math.max(high, floor * 20))) };
}
const translationAxis = { ...span(posed.map((f) => 100 * f.translation), 0.01, 100), log: true, label: `error of the position (${unit})` };
const rotationAxis = { ...span(posed.map((f) => f.rotation), 0.001, 10), log: true, label: "error of the rotation (deg)" };

function cumulative(id, values, axis, marks) {
  const sorted = values.sort((a, b) => a - b);
  const points = [[axis.min, sorted.filter((v) => v < axis.min).length / frames.length]];
  sorted.forEach((v, i) => points.push([v, (i + 1) / frames.length, `${percent((i + 1) / frames.length)} within ${short(v)}`]));
  points.push([axis.max, sorted.length / frames.length]);
  chart(id, { x: axis, y: { min: 0, max: 1, label: "fraction of frames", format: (v) => percent(v, 0) },
    marks: marks.filter((m) => m > axis.min && m < axis.max), series: [{ kind: "line", colour: "true", points }] });
}
cumulative("cdf-translation", posed.map((f) => 100 * f.translation), translationAxis, [1, 2, 5, 10]);
cumulative("cdf-rotation", posed.map((f) => f.rotation), rotationAxis, [1, 2, 5]);

const stateSeries = (point) => STATES.map(([state, colour]) => ({ kind: "dots", name: state.toLowerCase(), colour,
  points: frames.filter((f) => f.state === state).map(point) })).filter((series) => series.points.length);
const seconds = Math.max(...frames.map((f) => f.time), 1e-3);
chart("timeline", { width: 1090, height: 250, x: { min: 0, max: seconds, label: "time of the recording (s)" },
  y: { ...translationAxis, label: `error (${unit})` },
  series: stateSeries((f) => [f.time, f.state !== "LOST" && known(f.translation) ? 100 * f.translation : translationAxis.max, describe(f)]) });
chart("confidence", { x: { min: 0, max: 1, label: "confidence" }, y: { ...translationAxis, label: `error (${unit})` },
  series: stateSeries((f) => [f.confidence, known(f.translation) ? 100 * f.translation : translationAxis.max, describe(f)]) });

// --- covariance: cumulative NEES against the chi-square distribution with 6 degrees of freedom
const nees = frames.filter((f) => known(f.nees)).map((f) => f.nees).sort((a, b) => a - b);
const chi2 = (x) => 1 - Math.exp(-x / 2) * (1 + x / 2 + (x * x) / 8);
if (nees.length) {
  const axis = { min: 0.3, max: Math.max(100, 10 ** Math.ceil(Math.log10(nees[nees.length - 1]))), log: true, label: "NEES" };
  const honest = [];
  for (let x = axis.min; x <= axis.max * 1.001; x *= 1.06) honest.push([x, chi2(x)]);
  chart("nees", { x: axis, y: { min: 0, max: 1, label: "fraction of localized frames", format: (v) => percent(v, 0) },
    series: [{ kind: "line", name: "honest", colour: "plain", dashed: true, points: honest },
      { kind: "line", name: "this run", colour: "estimated",
        points: nees.map((v, i) => [v, (i + 1) / nees.length, `${percent((i + 1) / nees.length)} below ${short(v)}`]) }] });
} else byId("nees").textContent = "No localized frame came with a covariance.";

// --- reliability: how often poses of like confidence are right
chart("reliability", { x: { min: 0, max: 1, label: "confidence" },
  y: { min: 0, max: 1, label: "share that is right", format: (v) => percent(v, 0) }, series: [
    { kind: "bars", colour: "true", points: figures.reliability.map((c) =>
      [c.from, c.right / c.frames, `${c.from} to ${c.to}: ${c.right} of ${c.frames} within 10 ${figures.metric ? "cm" : "%"} and 5 degrees`, c.to]) },
    { kind: "line", dashed: true, colour: "estimated", points: [[0, 0], [1, 1]] }] });

// --- latency
function histogram(id, values, median) {
  const sorted = values.sort((a, b) => a - b), count = 30;
  const high = sorted[Math.floor((sorted.length - 1) * 0.99)] * 1.15 + 1, low = sorted[0] * 0.85;
  const bins = Array.from({ length: count }, () => 0);
  for (const v of sorted) bins[Math.min(count - 1, Math.floor(((v - low) / (high - low)) * count))]++;
  const edge = (i) => low + ((high - low) * i) / count;
  chart(id, { x: { min: low, max: high, label: "milliseconds (the last bar holds all that took longer)" },
    y: { min: 0, max: Math.max(...bins), label: "frames", format: (v) => (Number.isInteger(v) ? v : "") }, marks: [median],
    series: [{ kind: "bars", colour: "true",
      points: bins.map((n, i) => [edge(i), n, `${n} frames: ${short(edge(i))} to ${short(edge(i + 1))} ms`, edge(i + 1)]) }] });
}
histogram("latency", frames.map((f) => f.milliseconds), figures.query_ms.median);

// --- beside other runs
const compared = data.compared || { lines: [] };
if (compared.lines.length) {
  const table = byId("compared-figures"), head = add(table, "tr");
  add(head, "th", "");
  for (const name of compared.names) add(head, "th", name, "number");
  for (const [label, cells] of compared.lines) {
    const line = add(table, "tr");
    add(line, "th", label);
    for (const [text, best] of cells) add(line, "td", text, best ? "number best" : "number");
  }
} else byId("compared").remove();

// --- what the nodes did
const live = figures.live;
if (live) {
  const table = byId("live-figures"), hertz = (v) => (known(v) ? v.toFixed(1) : "–");
  row(table, "images played", `${live.frames_played} in ${live.seconds.toFixed(1)} s` + (live.rate === 1 ? "" : `, at ${live.rate} times the speed`));
  row(table, "images worked on", `${live.frames_processed}`);
  row(table, "overtaken by a newer one, or too old", `${live.frames_dropped}`);
  row(table, "unusable; not received", `${live.frames_rejected}; ${live.frames_not_received}`);
  row(table, "poses", `${live.poses}, ${hertz(live.poses_hz)} a second`);
  row(table, "longest time without a pose", known(live.longest_gap_s) ? `${live.longest_gap_s.toFixed(2)} s` : "–");
  if (live.latency_ms) row(table, "age of a pose, median, 95 %, most",
    ["median", "p95", "max"].map((name) => live.latency_ms[name].toFixed(0)).join(", ") + " ms");
  if (live.tf.known) {
    row(table, "TF known at the images' stamps", percent(live.tf.known / live.tf.frames));
    row(table, "TF, median error", `${distance(live.tf.median_translation)} ${metric ? "cm" : "units / 100"}, ${angle(live.tf.median_rotation_deg)} deg`);
    row(table, "TF, 95 % within", `${distance(live.tf.p95_translation)} ${metric ? "cm" : "units / 100"}, ${angle(live.tf.p95_rotation_deg)} deg`);
  }
  const ages = frames.filter((f) => known(f.age)).map((f) => f.age);
  if (ages.length) histogram("age", ages, live.latency_ms.median);
  else byId("age").textContent = "Not known: no pose was published, or no camera_info came with its image.";
} else for (const id of ["live", "ages"]) byId(id).remove();

// --- the map
for (const [name, colour] of [["true path", "true"], ["estimated", "estimated"]]) {
  const item = add(byId("scene-key"), "span");
  add(item, "i").style.background = `var(--${colour})`;
  item.append(name);
}
const redraw = sceneView(byId("scene"), data.cloud, [
  { colour: "true", joined: data.video, points: frames.map((f) => f.truth) },
  { colour: "estimated", joined: data.video, points: frames.map((f) => (f.state === "LOST" ? null : f.estimate)) },
]);
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  redraw();
});

// --- frames and configuration
byId("gallery-note").textContent = "Circles: where the image was looked at; lines lead to where the pose puts the predicted " +
  "3D point. Inliers from green (0 px) to yellow (the threshold); red: outliers.";
for (const which of ["worst", "best"])
  for (const item of data.gallery[which]) {
    const frame = frames[item.index], figure = add(byId(which), "figure");
    const image = add(figure, "img");
    image.src = "data:image/jpeg;base64," + item.jpeg;
    image.alt = frame.name;
    const caption = add(figure, "figcaption");
    add(caption, "b", frame.state.toLowerCase(), frame.state);
    caption.append(known(frame.translation) ? `  ${distance(frame.translation)} ${unit}, ${angle(frame.rotation)} deg` : "");
    add(caption, "br");
    caption.append(`${frame.name}, confidence ${frame.confidence.toFixed(2)}, ${frame.inliers} inliers` +
      (frame.reason ? `; ${frame.reason}` : ""));
  }
for (const [name, value] of Object.entries(data.configuration)) row(byId("configuration"), name, value, "code");
