// The map from above on a canvas: points, trail, robot with its covariance, alternatives. Drag, wheel or keys move it.

const SURE = 2.4477; // standard deviations of the ellipse that holds the position with 95 % (chi-square, two degrees)
const ROBOT = 13; // px from the robot's middle to its tip
const MOST = 6000; // points of the trail between two that the server sends

export class MapView {
  constructor(canvas) {
    this.canvas = canvas;
    this.points = null; // {count, xy, rgb}
    this.path = [];
    this.pose = null;
    this.sure = false;
    this.alternatives = [];
    this.metric = true; // whether its unit is the metre
    this.view = null; // {x, y: the middle in the map, scale: px a unit}; null: the whole map
    this.old = false;
    this.pending = false;
    this.layer = document.createElement("canvas"); // the points, drawn when they or the view change
    this.drawn = "";
    this.number = 0;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.drawn = ""; this.redraw(); });
    this.listen();
  }

  cloud(data) {
    const count = new DataView(data).getUint32(4, true);
    this.points = { count, xy: new Float32Array(data, 8, 2 * count), rgb: new Uint8Array(data, 8 + 8 * count, 3 * count) };
    this.number++;
    this.redraw();
  }

  trail(points) { this.path = points; this.redraw(); }

  robot(pose, sure, alternatives) {
    const moved = pose && (!this.pose || pose.x !== this.pose.x || pose.y !== this.pose.y);
    if (moved && this.path.length < MOST) this.path.push([pose.x, pose.y]);
    this.pose = pose;
    this.sure = sure;
    this.alternatives = alternatives;
    this.pale(false);
  }

  pale(old) { this.old = old; this.redraw(); }

  fit() { this.view = null; this.redraw(); }

  redraw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.draw(); });
  }

  // The view that shows all: points but for the outermost hundredth, the robot and where it was.
  whole(width, height) {
    const some = [[], []], add = (x, y) => { some[0].push(x); some[1].push(y); };
    if (this.points && this.points.count) {
      const step = Math.max(1, Math.floor(this.points.count / 4000));
      for (let i = 0; i < this.points.count; i += step) add(this.points.xy[2 * i], this.points.xy[2 * i + 1]);
    }
    const range = some.map((values) => {
      const sorted = values.sort((a, b) => a - b), at = (share) => sorted[Math.round(share * (sorted.length - 1))];
      return sorted.length ? [at(0.01), at(0.99)] : [Infinity, -Infinity];
    });
    const others = [...this.path, ...(this.pose ? [[this.pose.x, this.pose.y]] : []), ...this.alternatives.map((a) => [a.x, a.y])];
    for (const point of others)
      for (const axis of [0, 1])
        range[axis] = [Math.min(range[axis][0], point[axis]), Math.max(range[axis][1], point[axis])];
    const [[x0, x1], [y0, y1]] = range;
    if (!(x1 >= x0)) return { x: 0, y: 0, scale: Math.min(width, height) / 10 };
    const least = this.metric ? 0.5 : 1e-6, wide = Math.max(x1 - x0, least), high = Math.max(y1 - y0, least);
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: 0.88 * Math.min(width / wide, height / high) };
  }

  draw() {
    const { canvas } = this, ratio = Math.min(2, devicePixelRatio || 1);
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return;
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const view = this.shown = this.view || this.whole(width, height);
    const context = canvas.getContext("2d"), style = getComputedStyle(document.body);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const place = (x, y) => [width / 2 + (x - view.x) * view.scale, height / 2 - (y - view.y) * view.scale];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.globalAlpha = this.old ? 0.4 : 1;
    this.drawGrid(context, view, width, height, colour);
    this.drawPoints(context, view, width, height, ratio);
    this.drawTrail(context, place, colour("trail"));
    for (const one of this.alternatives) this.drawAlternative(context, place(one.x, one.y), one, colour);
    if (this.pose) this.drawRobot(context, place(this.pose.x, this.pose.y), view.scale, colour);
    else if (!this.points || !this.points.count) {
      context.fillStyle = colour("soft");
      context.font = "15px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText("no map to show yet", width / 2, height / 2);
    }
    context.globalAlpha = 1;
  }

  drawGrid(context, view, width, height, colour) {
    const wanted = 90 / view.scale, power = 10 ** Math.floor(Math.log10(wanted));
    const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= wanted) || 10);
    context.strokeStyle = colour("grid");
    context.lineWidth = 1;
    context.beginPath();
    const left = view.x - width / 2 / view.scale, bottom = view.y - height / 2 / view.scale;
    for (let x = Math.ceil(left / step) * step, px; (px = (x - left) * view.scale) < width; x += step) {
      context.moveTo(px, 0); context.lineTo(px, height);
    }
    for (let y = Math.ceil(bottom / step) * step, py; (py = height - (y - bottom) * view.scale) > 0; y += step) {
      context.moveTo(0, py); context.lineTo(width, py);
    }
    context.stroke();
    const long = step * view.scale, x = width - 16 - long, y = height - 14;
    context.strokeStyle = context.fillStyle = colour("soft");
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x, y - 4); context.lineTo(x, y); context.lineTo(x + long, y); context.lineTo(x + long, y - 4);
    context.stroke();
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText(`${step < 1 ? step.toFixed(Math.ceil(-Math.log10(step))) : step} ${this.metric ? "m" : "units"}`, x + long / 2, y - 7);
  }

  drawPoints(context, view, width, height, ratio) {
    if (!this.points || !this.points.count) return;
    const key = [this.number, view.x, view.y, view.scale, width, height, ratio].join();
    if (key !== this.drawn) {
      this.drawn = key;
      this.layer.width = Math.round(width * ratio);
      this.layer.height = Math.round(height * ratio);
      this.paintPoints(view, ratio);
    }
    context.drawImage(this.layer, 0, 0, width, height);
  }

  paintPoints(view, ratio) {
    const { width, height } = this.layer, { count, xy, rgb } = this.points;
    const context = this.layer.getContext("2d"), image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer), size = Math.max(1, Math.round(1.6 * ratio)), scale = view.scale * ratio;
    for (let i = 0; i < count; i++) {
      const px = Math.round(width / 2 + (xy[2 * i] - view.x) * scale);
      const py = Math.round(height / 2 - (xy[2 * i + 1] - view.y) * scale);
      const value = 0xe0000000 | (rgb[3 * i + 2] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i];
      for (let y = Math.max(0, py); y < py + size && y < height; y++)
        for (let x = Math.max(0, px); x < px + size && x < width; x++) pixels[y * width + x] = value;
    }
    context.putImageData(image, 0, 0);
  }

  drawTrail(context, place, colour) {
    if (this.path.length < 2) return;
    context.strokeStyle = colour;
    context.globalAlpha *= 0.6;
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    this.path.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](...place(x, y)));
    context.stroke();
    context.globalAlpha = this.old ? 0.4 : 1;
  }

  drawRobot(context, [x, y], scale, colour) {
    const main = colour(this.sure ? "robot" : "soft"), [xx, xy, yy] = this.pose.covariance;
    if (this.sure && xx + yy > 0) {
      const mean = (xx + yy) / 2, half = Math.hypot((xx - yy) / 2, xy);
      const axes = [mean + half, Math.max(0, mean - half)].map((variance) => SURE * Math.sqrt(variance) * scale);
      context.beginPath();
      context.ellipse(x, y, Math.max(axes[0], 0.5), Math.max(axes[1], 0.5), -Math.atan2(2 * xy, xx - yy) / 2, 0, 7);
      context.fillStyle = context.strokeStyle = main;
      context.globalAlpha *= 0.25;
      context.fill();
      context.globalAlpha = this.old ? 0.4 : 1;
      context.lineWidth = 1;
      context.stroke();
    }
    arrow(context, x, y, this.pose.yaw);
    context.fillStyle = main;
    context.strokeStyle = colour("card");
    context.lineWidth = 2;
    context.fill();
    context.stroke();
  }

  drawAlternative(context, [x, y], one, colour) {
    arrow(context, x, y, one.yaw);
    context.strokeStyle = context.fillStyle = colour("middling");
    context.lineWidth = 2.5;
    context.stroke();
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "left";
    context.fillText(`${Math.round(100 * one.probability)} %  place ${one.place}`, x + ROBOT + 4, y + 4);
  }

  // --- moving it ---

  change(alter) {
    if (!this.shown) return;
    this.view = { ...this.shown };
    alter(this.view);
    this.redraw();
  }

  zoom(factor, x, y) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.change((view) => {
      const scale = Math.min(1e5, Math.max(1e-3, view.scale * factor)), shift = 1 / view.scale - 1 / scale;
      view.x += (x - width / 2) * shift;
      view.y -= (y - height / 2) * shift;
      view.scale = scale;
    });
  }

  move(dx, dy) { this.change((view) => { view.x -= dx / view.scale; view.y += dy / view.scale; }); }

  listen() {
    const { canvas } = this, fingers = new Map();
    const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const apart = fingers.size === 2 ? spread() : 0;
      const dx = event.offsetX - before.x, dy = event.offsetY - before.y;
      fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
      if (fingers.size === 2) this.zoom(spread() / Math.max(apart, 1), event.offsetX, event.offsetY);
      this.move(dx / fingers.size, dy / fingers.size);
    });
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.0015), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
      const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
      if (step) this.move(...step);
      else if (event.key === "+" || event.key === "=") this.zoom(1.3, ...middle);
      else if (event.key === "-") this.zoom(1 / 1.3, ...middle);
      else if (event.key === "0" || event.key === "Home") this.fit();
      else return;
      event.preventDefault();
    });
  }
}

function arrow(context, x, y, yaw) {
  const cos = Math.cos(yaw), sin = Math.sin(yaw);
  context.beginPath();
  for (const [ahead, left] of [[ROBOT, 0], [-0.75 * ROBOT, 0.72 * ROBOT], [-0.4 * ROBOT, 0], [-0.75 * ROBOT, -0.72 * ROBOT]])
    context.lineTo(x + ahead * cos - left * sin, y - ahead * sin - left * cos);
  context.closePath();
}
