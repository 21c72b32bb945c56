// Small charts in SVG, and the tooltip they share. Colours come from the page's style.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function draw(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(0);
  return String(Number(value.toPrecision(3)));
}

function ticks(axis) {
  if (axis.log) {
    const found = [];
    for (let power = Math.floor(Math.log10(axis.min)); power <= Math.ceil(Math.log10(axis.max)); power++)
      for (const factor of Math.log10(axis.max / axis.min) > 2.2 ? [1] : [1, 2, 5]) found.push(factor * 10 ** power);
    return found.filter((value) => value >= axis.min * 0.999 && value <= axis.max * 1.001);
  }
  const rough = (axis.max - axis.min) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) || 10);
  const found = [];
  for (let value = Math.ceil(axis.min / step - 1e-9) * step; value <= axis.max + step * 1e-9; value += step)
    found.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  return found;
}

const tip = document.getElementById("tip");

function showTip(event, text) {
  tip.textContent = text;
  tip.style.opacity = text ? 1 : 0;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
  tip.style.top = Math.max(4, event.clientY - box.height - 10) + "px";
}

// spec: {x: {label, min, max, log, format}, y: {...}, marks: [x...], series: [{kind: line|dots|bars, name, colour, points: [[x, y, tip]]}]}
function chart(id, spec) {
  const host = document.getElementById(id);
  const width = spec.width || 520, height = spec.height || 270, left = 62, right = 12, top = 10, bottom = 44;
  const keyed = spec.series.filter((series) => series.name);
  if (keyed.length > 1) {
    const key = host.appendChild(document.createElement("div"));
    key.className = "key";
    for (const series of keyed) {
      const item = key.appendChild(document.createElement("span"));
      const swatch = item.appendChild(document.createElement("i"));
      swatch.style.background = `var(--${series.colour})`;
      item.append(series.name);
    }
  }
  const svg = draw(host, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.y.label });
  const place = (axis, from, to) => (value) => {
    const clipped = Math.min(axis.max, Math.max(axis.min, value));
    const share = axis.log ? Math.log(clipped / axis.min) / Math.log(axis.max / axis.min)
      : (clipped - axis.min) / (axis.max - axis.min);
    return from + share * (to - from);
  };
  const px = place(spec.x, left, width - right), py = place(spec.y, height - bottom, top);
  for (const value of ticks(spec.x)) {
    draw(svg, "line", { class: "grid-line", x1: px(value), x2: px(value), y1: top, y2: height - bottom });
    draw(svg, "text", { x: px(value), y: height - bottom + 17, "text-anchor": "middle" }, (spec.x.format || short)(value));
  }
  for (const value of ticks(spec.y)) {
    draw(svg, "line", { class: "grid-line", x1: left, x2: width - right, y1: py(value), y2: py(value) });
    draw(svg, "text", { x: left - 7, y: py(value) + 4, "text-anchor": "end" }, (spec.y.format || short)(value));
  }
  draw(svg, "line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom });
  draw(svg, "text", { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, spec.x.label);
  draw(svg, "text", { transform: `translate(11 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" },
    spec.y.label);
  for (const value of spec.marks || [])
    draw(svg, "line", { class: "mark", x1: px(value), x2: px(value), y1: top, y2: height - bottom });
  const targets = [];
  for (const series of spec.series) {
    const colour = `var(--${series.colour})`;
    const placed = series.points.map(([x, y, text]) => ({ x: px(x), y: py(y), text }));
    if (series.kind === "line")
      draw(svg, "path", { class: "curve", style: `stroke:${colour}` + (series.dashed ? ";stroke-dasharray:5 4" : ""),
        d: placed.map((p, i) => `${i ? "L" : "M"}${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("") });
    else if (series.kind === "bars")
      series.points.forEach(([x, y, text, end], i) => {
        const from = px(x), to = px(end);
        draw(svg, "rect", { x: from + 0.5, width: Math.max(1, to - from - 1), y: placed[i].y, rx: 1.5,
          height: height - bottom - placed[i].y, style: `fill:${colour};fill-opacity:.8` });
        placed[i].x = (from + to) / 2;
      });
    else
      for (const p of placed) draw(svg, "circle", { cx: p.x, cy: p.y, r: 2.6, style: `fill:${colour};fill-opacity:.75` });
    targets.push(...placed.filter((p) => p.text));
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), scale = width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    let best = null, nearest = 30 ** 2;
    for (const target of targets) {
      const distance = (target.x - x) ** 2 + (target.y - y) ** 2;
      if (distance < nearest) [best, nearest] = [target, distance];
    }
    showTip(event, best ? best.text : "");
  });
  svg.addEventListener("pointerleave", (event) => showTip(event, ""));
}
