// Two pictures on a canvas: a line and candles. A library of charts wants styles inside the page, which its content
// security policy forbids, and 4 MB on a telephone.

import { clock, day, price as asPrice } from "./format.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const RIGHT = 76, BOTTOM = 22, TOP = 8;

const sheet = (canvas) => {
  const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
  if (!width) return null;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "11px system-ui, sans-serif";
  return { pen, width, height, plot: width - RIGHT, floor: height - BOTTOM };
};

// Round steps: 1, 2 or 5 times a power of ten.
const steps = (low, high, most) => {
  const raw = (high - low) / most || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((n) => n * power >= raw) * power, found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
  return found;
};

const frame = ({ pen, plot, floor }, low, high, y) => {
  pen.strokeStyle = colour("--line");
  pen.fillStyle = colour("--quiet");
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.lineWidth = 1;
  for (const value of steps(low, high, 5)) {
    const at = Math.round(y(value)) + 0.5;
    pen.beginPath();
    pen.moveTo(0, at);
    pen.lineTo(plot, at);
    pen.stroke();
    pen.fillText(asPrice(value), plot + 8, Math.min(Math.max(at, 8), floor - 4));
  }
};

const dates = ({ pen, plot, height }, times, x) => {
  const most = Math.max(1, Math.floor(plot / 90)), every = Math.max(1, Math.ceil(times.length / most));
  const long = day(times[0]) !== day(times.at(-1));
  pen.textBaseline = "alphabetic";
  pen.textAlign = "center";
  pen.fillStyle = colour("--quiet");
  for (let at = Math.floor(every / 2); at < times.length; at += every) {
    const text = long ? `${day(times[at]).slice(5)} ${clock(times[at]).slice(0, 5)}` : clock(times[at]).slice(0, 5);
    pen.fillText(text, Math.min(Math.max(x(at), 32), plot - 20), height - 6);
  }
};

const tag = ({ pen, plot }, at, text, paint) => {
  pen.fillStyle = paint;
  pen.fillRect(plot + 2, at - 9, RIGHT - 4, 18);
  pen.fillStyle = colour("--card");
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillText(text, plot + 8, at);
};

const scale = (low, high, floor) => {
  const room = (high - low || Math.abs(high) * 0.001 || 1) * 0.08;
  const [bottom, top] = [low - room, high + room];
  return [bottom, top, (value) => TOP + ((top - value) / (top - bottom)) * (floor - TOP)];
};

// points: [[ms, value]], the oldest first.
export const line = (canvas, points) => {
  const paper = sheet(canvas);
  if (!paper || points.length < 2) return;
  const { pen, plot, floor } = paper, values = points.map((point) => point[1]);
  const [low, high, y] = scale(Math.min(...values), Math.max(...values), floor);
  const x = (at) => (at / (points.length - 1)) * (plot - 6) + 2;
  frame(paper, low, high, y);
  dates(paper, points.map((point) => point[0]), x);
  const paint = colour(values.at(-1) >= values[0] ? "--up" : "--down");
  pen.beginPath();
  values.forEach((value, at) => pen.lineTo(x(at), y(value)));
  pen.strokeStyle = paint;
  pen.lineWidth = 1.8;
  pen.lineJoin = "round";
  pen.stroke();
  pen.lineTo(x(points.length - 1), floor);
  pen.lineTo(x(0), floor);
  pen.closePath();
  pen.globalAlpha = 0.1;
  pen.fillStyle = paint;
  pen.fill();
  pen.globalAlpha = 1;
  tag(paper, y(values.at(-1)), asPrice(values.at(-1)), paint);
};

// bars: [[ms of its end, open, high, low, close, volume]]; marks: [{ms, side, price}]; last: the latest price or null.
export const candles = (canvas, bars, marks, last) => {
  const paper = sheet(canvas);
  if (!paper || !bars.length) return;
  const { pen, plot, floor } = paper;
  const shown = bars.slice(-Math.max(20, Math.floor(plot / 7)));
  const extremes = last === null ? [] : [last];
  const [low, high, y] = scale(
    Math.min(...shown.map((bar) => bar[3]), ...extremes), Math.max(...shown.map((bar) => bar[2]), ...extremes), floor,
  );
  const step = (plot - 8) / Math.max(shown.length, 20), x = (at) => 4 + step * (at + 0.5), body = Math.max(1, Math.floor(step * 0.62));
  frame(paper, low, high, y);
  dates(paper, shown.map((bar) => bar[0]), x);
  shown.forEach(([, opened, top, bottom, closed], at) => {
    pen.fillStyle = pen.strokeStyle = colour(closed >= opened ? "--up" : "--down");
    pen.lineWidth = 1;
    const middle = Math.round(x(at)) + 0.5;
    pen.beginPath();
    pen.moveTo(middle, y(top));
    pen.lineTo(middle, y(bottom));
    pen.stroke();
    pen.fillRect(middle - body / 2, Math.min(y(opened), y(closed)), body, Math.max(1, Math.abs(y(opened) - y(closed))));
  });
  const first = shown[0][0] - (shown.length > 1 ? shown[1][0] - shown[0][0] : 60000);
  for (const { ms, side, price } of marks) {
    const at = shown.findIndex((bar) => bar[0] >= ms), place = at < 0 ? shown.length - 1 : at;
    if (ms < first) continue;
    const buys = side.startsWith("buy"), tip = y(price), turn = buys ? 1 : -1;
    pen.fillStyle = colour("--accent");
    pen.strokeStyle = colour("--card");
    pen.beginPath();
    pen.moveTo(x(place), tip);
    pen.lineTo(x(place) - 5, tip + 9 * turn);
    pen.lineTo(x(place) + 5, tip + 9 * turn);
    pen.closePath();
    pen.fill();
    pen.stroke();
  }
  if (last !== null) {
    pen.setLineDash([3, 3]);
    pen.strokeStyle = colour("--accent");
    pen.beginPath();
    pen.moveTo(0, y(last));
    pen.lineTo(plot, y(last));
    pen.stroke();
    pen.setLineDash([]);
    tag(paper, y(last), asPrice(last), colour("--accent"));
  }
};
