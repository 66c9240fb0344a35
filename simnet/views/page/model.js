"use strict";
// What the page knows, without the page: places, look-ups and searches. Tests run this part alone.

const ROW = { sent: 27, call: 19, arrived: 8, lost: 8, state: 0 };
const LONGEST_GAP = 72;
const LONG_NS = 150e6;
// How far a lost packet is drawn.
const LOST_PART = 0.62;

function makeModel(data) {
  const rows = data.times.length;
  const need = new Array(rows).fill(0);
  const grow = (row, height) => { need[row] = Math.max(need[row], height); };
  for (const packet of data.packets) {
    grow(packet.sent, ROW.sent);
    for (const row of packet.arrived) grow(row, ROW.arrived);
    for (const [row] of packet.lost) grow(row, ROW.lost);
    const words = packet.lost.length ? ["lost", ...packet.lost.map((each) => each[1])] : [];
    if (packet.arrived.length > 1) words.push("twice");
    packet.words = [
      packet.label, ...words, ...packet.fields.map((field) => field.join(" ")), ascii(packet.payload),
      data.lanes[packet.from][0], packet.to === null ? "" : data.lanes[packet.to][0],
    ].join("\n").toLowerCase();
  }

  // The place of each row. Readable: every event has room, and waits grow by their logarithm.
  function place(mode, zoom, calls) {
    const y = new Array(rows).fill(0);
    const heights = need.slice();
    if (calls) for (const [row] of data.calls) heights[row] = Math.max(heights[row], ROW.call);
    for (let row = 1; row < rows; row++) {
      const wait = data.times[row] - data.times[row - 1];
      const gap = wait > 0 ? Math.min(LONGEST_GAP, 7 * Math.log2(1 + wait / 1e6)) : 0;
      y[row] = y[row - 1] + (heights[row - 1] + gap) * zoom;
    }
    if (mode === "scale" && rows > 1) {
      const first = data.times[0], span = data.times[rows - 1] - first || 1;
      const height = y[rows - 1];
      for (let row = 0; row < rows; row++) y[row] = ((data.times[row] - first) / span) * height;
    }
    return y;
  }

  // Arrows in the order of their beginnings, for packets that `shown` lets pass.
  function arrows(y, shown) {
    const found = [];
    data.packets.forEach((packet, index) => {
      if (!shown(packet)) return;
      const top = y[packet.sent];
      packet.arrived.forEach((row, copy) => {
        found.push({ index, top, bottom: Math.max(y[row], top), fate: copy ? "copy" : "arrived" });
      });
      packet.lost.forEach(([row, reason]) => {
        found.push({ index, top, bottom: Math.max(y[row], top) + 6, fate: "lost", reason });
      });
      if (!packet.arrived.length && !packet.lost.length) {
        found.push({ index, top, bottom: top + 6, fate: "flying" });
      }
    });
    found.sort((a, b) => a.top - b.top);
    slopeLost(found);
    let furthest = -Infinity;
    for (const arrow of found) arrow.furthest = furthest = Math.max(furthest, arrow.bottom);
    return found;
  }

  // What was lost would have come like its neighbours on the same way: parallel to the nearest one.
  function slopeLost(list) {
    for (const [from, to, step] of [[0, list.length, 1], [list.length - 1, -1, -1]]) {
      const latest = new Map();
      for (let i = from; i !== to; i += step) {
        const arrow = list[i], packet = data.packets[arrow.index], way = packet.from + ">" + packet.to;
        if (arrow.fate === "arrived") latest.set(way, arrow);
        const like = arrow.fate !== "arrived" && arrow.fate !== "copy" && latest.get(way);
        if (!like) continue;
        const away = Math.abs(like.top - arrow.top);
        if (arrow.away !== undefined && arrow.away <= away) continue;
        arrow.away = away;
        arrow.bottom = arrow.top + Math.max(6, LOST_PART * (like.bottom - like.top));
      }
    }
  }

  // The arrows that cross a part of the diagram: those before it end above it.
  function crossing(list, top, bottom) {
    const begin = first(list.length, (i) => list[i].furthest >= top);
    const end = first(list.length, (i) => list[i].top > bottom);
    return list.slice(begin, end).filter((arrow) => arrow.bottom >= top);
  }

  // The last row at or above a place.
  function rowAt(y, place) {
    return Math.max(0, first(rows, (i) => y[i] > place) - 1);
  }

  // Each host's sockets as they are once a row has happened; those that have ended are left out.
  function statesAt(row) {
    const sockets = new Map();
    for (const [when, host, number, local, remote, state] of data.states) {
      if (when > row) break;
      if (state === "CLOSE") sockets.delete(number);
      else sockets.set(number, { host, number, local, remote, state, since: when });
    }
    const hosts = new Map();
    for (const socket of sockets.values()) {
      if (!hosts.has(socket.host)) hosts.set(socket.host, []);
      hosts.get(socket.host).push(socket);
    }
    return hosts;
  }

  // The packets that have every word somewhere.
  function search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const found = [];
    data.packets.forEach((packet, index) => {
      if (words.every((word) => packet.words.includes(word))) found.push(index);
    });
    return found;
  }

  // Waits that are long for a reader, as (row after it, nanoseconds).
  function waits() {
    const found = [];
    for (let row = 1; row < rows; row++) {
      const wait = data.times[row] - data.times[row - 1];
      if (wait >= LONG_NS) found.push([row, wait]);
    }
    return found;
  }

  return { data, rows, place, arrows, crossing, rowAt, statesAt, search, waits };
}

// The first index of which something is true, where it stays true from there on.
function first(length, is) {
  let low = 0, high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(middle)) high = middle; else low = middle + 1;
  }
  return low;
}

function bytes(hex) {
  return (hex || "").match(/../g)?.map((pair) => parseInt(pair, 16)) ?? [];
}

function ascii(hex) {
  return bytes(hex).map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : ".")).join("");
}

function dump(hex) {
  const all = bytes(hex), lines = [];
  for (let at = 0; at < all.length; at += 8) {
    const part = all.slice(at, at + 8);
    const digits = part.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    lines.push(digits.padEnd(26) + part.map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : "·")).join(""));
  }
  return lines.join("\n");
}

function seconds(ns, digits = 6) {
  return (ns / 1e9).toFixed(digits) + " s";
}

// A length of time with the unit that suits it.
function duration(ns) {
  if (ns >= 60e9) return trim(ns / 60e9) + " min";
  if (ns >= 1e9) return trim(ns / 1e9) + " s";
  if (ns >= 1e6) return trim(ns / 1e6) + " ms";
  return trim(ns / 1e3) + " µs";
}

function trim(number) {
  return String(Number(number.toPrecision(3)));
}

if (typeof module !== "undefined") {
  module.exports = { makeModel, first, dump, ascii, seconds, duration };
}
