// The map's points and both paths, to be turned: drag to turn, wheel to zoom, shift-drag to move, double click to reset.
"use strict";

function decode(text, Type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Type(bytes.buffer);
}

function sceneView(canvas, cloud, paths) {
  const xyz = decode(cloud.xyz, Float32Array), rgb = decode(cloud.rgb, Uint8Array), count = xyz.length / 3;
  const start = { turn: 0.35, tilt: 0.4, zoom: 1, x: 0, y: 0 };
  let view = { ...start }, pending = false;
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const unit = (a) => { const n = Math.hypot(...a); return a.map((v) => v / n); };
  const up = unit(cloud.up);
  const side = unit(cross(cloud.ahead, up)), ahead = cross(up, side); // seen from behind the cameras

  function axes() {
    const c = Math.cos(view.turn), s = Math.sin(view.turn), ct = Math.cos(view.tilt), st = Math.sin(view.tilt);
    const right = side.map((v, i) => v * c + ahead[i] * s), level = side.map((v, i) => -v * s + ahead[i] * c);
    return [right, up.map((v, i) => v * ct + level[i] * st), level.map((v, i) => v * ct - up[i] * st)];
  }

  function render() {
    pending = false;
    const ratio = Math.min(2, devicePixelRatio || 1);
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height) return;
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
    const depth = new Float32Array(width * height).fill(Infinity);
    const [right, top, away] = axes(), [cx, cy, cz] = cloud.centre;
    const focal = 1.75 * Math.min(width, height) * view.zoom, distance = 3.2 * cloud.radius;
    const mx = width / 2 + view.x * ratio, my = height / 2 + view.y * ratio, dot = Math.max(1, Math.round(2 * ratio));
    const project = (x, y, z) => {
      x -= cx; y -= cy; z -= cz;
      const d = distance + x * away[0] + y * away[1] + z * away[2];
      return d < 0.05 * distance ? null : [mx + focal * (x * right[0] + y * right[1] + z * right[2]) / d,
        my - focal * (x * top[0] + y * top[1] + z * top[2]) / d, d];
    };
    for (let i = 0; i < count; i++) {
      const p = project(xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]);
      if (!p) continue;
      const px = Math.round(p[0]), py = Math.round(p[1]);
      const colour = 0xff000000 | (rgb[3 * i + 2] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i];
      for (let y = py; y < py + dot; y++)
        for (let x = px; x < px + dot; x++) {
          if (x < 0 || y < 0 || x >= width || y >= height) continue;
          const at = y * width + x;
          if (p[2] < depth[at]) { depth[at] = p[2]; pixels[at] = colour; }
        }
    }
    context.putImageData(image, 0, 0);
    context.lineJoin = "round";
    for (const path of paths) {
      context.strokeStyle = context.fillStyle = style.getPropertyValue("--" + path.colour).trim();
      context.lineWidth = (path.colour === "true" ? 5 : 1.8) * ratio;
      context.beginPath();
      let drawing = false;
      for (const point of path.points) {
        const p = point && project(...point);
        if (!p) { drawing = false; continue; }
        drawing ? context.lineTo(p[0], p[1]) : context.moveTo(p[0], p[1]);
        drawing = true;
      }
      if (path.joined) context.stroke();
      else for (const p of path.points.map((q) => q && project(...q)).filter(Boolean)) {
        context.beginPath();
        context.arc(p[0], p[1], (path.colour === "true" ? 4 : 2) * ratio, 0, 7);
        context.fill();
      }
    }
  }

  const redraw = () => { if (!pending) { pending = true; requestAnimationFrame(render); } };
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    if (event.shiftKey || event.buttons > 1) { view.x += event.movementX; view.y += event.movementY; }
    else {
      view.turn -= event.movementX * 0.008;
      view.tilt = Math.max(-1.55, Math.min(1.55, view.tilt + event.movementY * 0.008));
    }
    redraw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoom = Math.max(0.2, Math.min(20, view.zoom * Math.exp(-event.deltaY * 0.0012)));
    redraw();
  }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => { view = { ...start }; redraw(); });
  addEventListener("resize", redraw);
  redraw();
  return redraw;
}
