(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const model = makeModel(data);
  const byId = (id) => document.getElementById(id);
  const pane = byId("pane"), canvas = byId("canvas"), overview = byId("overview");
  const pen = canvas.getContext("2d");
  const AXIS = 104, HEAD = 50, TOP = 22, NARROWEST = 300;
  const view = { mode: "even", zoom: 1, calls: true, connection: null, hits: [], hit: -1, pinned: null, hover: null, pointer: null };
  let y = [], list = [], height = 0, laneX = [], width = 0, colours = {}, shownHits = new Set(), frame = 0, momentRow = -1;

  // Colours are the style's, so that they follow the theme.
  function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ground", "raised", "line", "faint", "text", "soft", "lane", "cursor", "hit", "syn", "data", "ack", "fin", "rst", "udp", "icmp", "lost", "again", "accent"]) {
      colours[name] = style.getPropertyValue("--" + name).trim();
    }
  }

  function arrange() {
    y = model.place(view.mode, view.zoom, view.calls);
    list = model.arrows(y, (packet) => view.connection === null || packet.connection === view.connection);
    const last = list.length ? list[list.length - 1].furthest : 0;
    height = HEAD + TOP + Math.max(last, y[y.length - 1] || 0) + 60;
    resize();
  }

  function resize() {
    const lanes = Math.max(1, data.lanes.length);
    width = Math.max(pane.clientWidth, AXIS + lanes * NARROWEST);
    byId("tall").style.height = Math.max(height, pane.clientHeight) + "px";
    byId("tall").style.width = width + "px";
    const step = (width - AXIS) / lanes;
    laneX = data.lanes.map((_, i) => AXIS + step * (i + 0.5));
    if (lanes > 1) {
      const inset = Math.min(step / 2, 160), spread = (width - AXIS - 2 * inset) / (lanes - 1);
      laneX = data.lanes.map((_, i) => AXIS + inset + spread * i);
    }
    const ratio = window.devicePixelRatio || 1;
    canvas.width = pane.clientWidth * ratio;
    canvas.height = pane.clientHeight * ratio;
    canvas.style.width = pane.clientWidth + "px";
    canvas.style.height = pane.clientHeight + "px";
    drawStrip();
    draw();
  }

  function draw() {
    if (!frame) frame = requestAnimationFrame(() => { frame = 0; drawNow(); });
  }

  const placeOf = (row) => HEAD + TOP + y[row] - pane.scrollTop;
  const MONO = '11.5px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
  const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

  function drawNow() {
    const ratio = window.devicePixelRatio || 1, tall = pane.clientHeight;
    const top = pane.scrollTop - HEAD - TOP, bottom = top + tall;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colours.ground;
    pen.fillRect(0, 0, pane.clientWidth, tall);
    pen.save();
    pen.translate(-pane.scrollLeft, 0);
    if (view.mode === "even") drawWaits(top, bottom);
    pen.lineWidth = 1.5;
    pen.strokeStyle = colours.lane;
    for (const x of laneX) line(x, HEAD, x, tall);
    drawTimes(top, bottom);
    drawCursor();
    const crossing = model.crossing(list, top - 40, bottom + 40);
    const dim = view.hits.length > 0;
    written.clear();
    for (const part of [drawArrow, drawWords]) {
      for (const arrow of crossing) part(arrow, dim && !shownHits.has(arrow.index));
    }
    if (view.calls) drawCalls(top, bottom);
    drawHeads();
    pen.restore();
  }

  function line(x0, y0, x1, y1) {
    pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke();
  }

  function drawHeads() {
    pen.fillStyle = colours.raised;
    pen.fillRect(0, 0, width, HEAD);
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1;
    line(0, HEAD - 0.5, width, HEAD - 0.5);
    pen.textAlign = "center";
    data.lanes.forEach(([name, note], i) => {
      pen.fillStyle = colours.text;
      pen.font = "600 14px " + SANS;
      pen.fillText(name, laneX[i], 21);
      pen.fillStyle = colours.soft;
      pen.font = "12px " + SANS;
      pen.fillText(note, laneX[i], 38, Math.max(160, width / data.lanes.length - 20));
    });
    pen.textAlign = "left";
    pen.fillStyle = colours.soft;
    pen.font = "12px " + SANS;
    pen.fillText("time", 14 + pane.scrollLeft, 30);
  }

  function drawTimes(top, bottom) {
    pen.font = MONO;
    pen.textAlign = "right";
    pen.fillStyle = colours.soft;
    let last = -Infinity, lastTime = null;
    for (let row = model.rowAt(y, top); row < model.rows && y[row] <= bottom; row++) {
      if (data.times[row] === lastTime || y[row] - last < 15) continue;
      last = y[row]; lastTime = data.times[row];
      pen.fillText(seconds(lastTime), AXIS - 14 + pane.scrollLeft, placeOf(row) + 4);
    }
    pen.textAlign = "left";
  }

  const waits = model.waits();
  function drawWaits(top, bottom) {
    pen.font = "italic 12px " + SANS;
    for (const [row, wait] of waits) {
      if (y[row] < top - 100 || y[row - 1] > bottom) continue;
      const from = placeOf(row) - Math.min(y[row] - y[row - 1], 72 * view.zoom), to = placeOf(row) - 9;
      if (to - from < 14) continue;
      pen.fillStyle = colours.faint;
      pen.fillRect(AXIS, from + 6, width, to - from - 6);
      pen.fillStyle = colours.soft;
      pen.fillText(duration(wait) + " pass", AXIS + 8 + pane.scrollLeft, (from + to) / 2 + 7);
    }
  }

  function drawCursor() {
    if (view.pointer === null) return;
    pen.strokeStyle = colours.cursor;
    pen.globalAlpha = 0.55;
    pen.setLineDash([2, 3]);
    pen.lineWidth = 1;
    line(AXIS - 8, view.pointer, width, view.pointer);
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  function ends(arrow) {
    const packet = data.packets[arrow.index];
    const x0 = laneX[packet.from];
    let x1 = packet.to === null ? x0 + 150 : laneX[packet.to];
    const top = HEAD + TOP + arrow.top - pane.scrollTop;
    let bottom = HEAD + TOP + arrow.bottom - pane.scrollTop;
    if (arrow.fate === "lost" || arrow.fate === "flying") { x1 = x0 + (x1 - x0) * LOST_PART; }
    return { packet, x0, x1, top, bottom };
  }

  function colourOf(packet, arrow) {
    if (arrow.fate === "lost") return colours.lost;
    return packet.remark === "again" ? colours.again : colours[packet.kind];
  }

  // Sets the pen for an arrow; all arrows come first, and then all words, so that none is crossed.
  function begin(arrow, dim) {
    const { packet, x0, x1, top, bottom } = ends(arrow);
    const chosen = arrow.index === view.pinned || arrow.index === view.hover;
    pen.globalAlpha = dim && !chosen ? 0.16 : 1;
    pen.strokeStyle = pen.fillStyle = colourOf(packet, arrow);
    pen.lineWidth = chosen ? 2.6 : packet.kind === "ack" ? 1.1 : 1.6;
    return { packet, x0, x1, top, bottom, chosen, angle: Math.atan2(bottom - top, x1 - x0), forward: x1 > x0 };
  }

  function drawArrow(arrow, dim) {
    const { x0, x1, top, bottom, angle } = begin(arrow, dim);
    if (x0 === x1) drawLoop(arrow, x0, top, bottom);
    else {
      if (arrow.fate === "lost") pen.setLineDash([6, 4]);
      if (arrow.fate === "copy") pen.setLineDash([2, 3]);
      line(x0, top, x1, bottom);
      pen.setLineDash([]);
      if (arrow.fate === "lost") cross(x1, bottom); else head(x1, bottom, angle);
      pen.beginPath(); pen.arc(x0, top, 2.4, 0, 7); pen.fill();
    }
    pen.globalAlpha = 1;
  }

  // Where words stand too close, the later ones are left out, until one zooms in or points at them.
  const written = new Map();
  function isCrowded(lane, where, chosen) {
    const crowded = !chosen && Math.abs(where - (written.get(lane) ?? -Infinity)) < 12;
    if (!crowded) written.set(lane, where);
    return crowded;
  }

  function drawWords(arrow, dim) {
    const { packet, x0, x1, top, bottom, angle, chosen, forward } = begin(arrow, dim);
    const crowded = arrow.fate === "copy" ? isCrowded("copy", bottom, chosen) : isCrowded(packet.from, top, chosen || shownHits.has(arrow.index));
    if (crowded) { pen.globalAlpha = 1; return; }
    if (x0 === x1) {
      caption(packet.label + (arrow.reason ? "  " + arrow.reason : ""), x0 + 34, (top + Math.max(bottom, top + 8)) / 2 + 4, "left");
    } else if (arrow.fate === "copy") {
      caption("copy", x1 + (forward ? -12 : 12), bottom - 5, forward ? "right" : "left");
    } else {
      drawLabel(arrow, packet, x0, top, x1, bottom, angle, chosen);
    }
    const end = arrow.fate === "flying" ? "on its way at the end" : arrow.reason;
    if (end && x0 !== x1) caption(end, x1 + (forward ? 12 : -12), bottom + 4, forward ? "left" : "right");
    pen.globalAlpha = 1;
  }

  function drawLabel(arrow, packet, x0, top, x1, bottom, angle, chosen) {
    const long = Math.hypot(x1 - x0, bottom - top), upside = Math.cos(angle) < 0;
    pen.save();
    pen.font = (chosen || shownHits.has(arrow.index) ? "700 " : "") + MONO;
    const size = Math.min(pen.measureText(packet.label).width, long - 24);
    const at = Math.max(size / 2 + 14, Math.min(long * 0.42, long - size / 2 - 14));
    pen.translate(x0 + Math.cos(angle) * at, top + Math.sin(angle) * at);
    pen.rotate(upside ? angle + Math.PI : angle);
    pen.textAlign = "center";
    if (shownHits.has(arrow.index)) {
      pen.fillStyle = colours.hit;
      pen.fillRect(-size / 2 - 4, -17, size + 8, 15);
    }
    pen.lineWidth = 3.5;
    pen.lineJoin = "round";
    pen.strokeStyle = shownHits.has(arrow.index) ? colours.hit : colours.ground;
    pen.strokeText(packet.label, 0, -5, long - 24);
    pen.fillStyle = colourOf(packet, arrow);
    pen.fillText(packet.label, 0, -5, long - 24);
    pen.restore();
  }

  function drawLoop(arrow, x, top, bottom) {
    const low = Math.max(bottom, top + 8);
    pen.beginPath();
    pen.moveTo(x, top);
    pen.bezierCurveTo(x + 34, top, x + 34, low, x + 2, low);
    pen.stroke();
    if (arrow.fate === "lost") cross(x + 26, (top + low) / 2); else head(x + 1, low, Math.PI);
  }

  function caption(text, x, where, align) {
    pen.font = "11px " + SANS;
    pen.textAlign = align;
    pen.lineWidth = 3;
    const colour = pen.fillStyle;
    pen.strokeStyle = colours.ground;
    pen.strokeText(text, x, where);
    pen.fillStyle = colour;
    pen.fillText(text, x, where);
    pen.textAlign = "left";
  }

  function head(x, where, angle) {
    pen.save();
    pen.translate(x, where); pen.rotate(angle);
    pen.beginPath(); pen.moveTo(-1, 0); pen.lineTo(-10, -4.2); pen.lineTo(-8, 0); pen.lineTo(-10, 4.2); pen.fill();
    pen.restore();
  }

  function cross(x, where) {
    pen.lineWidth = 2.2;
    line(x - 5, where - 5, x + 5, where + 5);
    line(x - 5, where + 5, x + 5, where - 5);
  }

  // Calls stand beside their lane, on the side where there is no arrow for the outermost ones.
  function drawCalls(top, bottom) {
    const begin = first(data.calls.length, (i) => y[data.calls[i][0]] >= top - 20);
    for (let i = begin; i < data.calls.length && y[data.calls[i][0]] <= bottom + 20; i++) {
      const [row, lane, socket, text] = data.calls[i];
      const left = lane === data.lanes.length - 1 && lane > 0;
      const x = laneX[lane], where = placeOf(row) + 4;
      pen.fillStyle = colours.text;
      pen.beginPath(); pen.rect(x - 3.5, where - 7.5, 7, 7); pen.fill();
      if (isCrowded("call " + lane, where, false)) continue;
      pen.fillStyle = socket ? colours.text : colours.lost;
      caption(text + (socket ? "  #" + socket : ""), x + (left ? 10 : -10), where, left ? "left" : "right");
    }
  }

  // The whole trace on a strip: where packets are, where losses, where hits. Drawn once, as there
  // may be very many; then copied under the frame that shows which part is in view.
  const strip = document.createElement("canvas");
  function drawStrip() {
    const ratio = window.devicePixelRatio || 1, tall = pane.clientHeight, shrink = tall / height;
    strip.width = 18 * ratio; strip.height = tall * ratio;
    const brush = strip.getContext("2d");
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.fillStyle = colours.raised;
    brush.fillRect(0, 0, 18, tall);
    const mark = (arrow, colour, x, wide) => { brush.fillStyle = colour; brush.fillRect(x, (HEAD + TOP + arrow.top) * shrink, wide, 1.5); };
    brush.globalAlpha = 0.45;
    for (const arrow of list) if (arrow.fate !== "lost") mark(arrow, colours.ack, 5, 8);
    brush.globalAlpha = 1;
    for (const arrow of list) {
      if (data.packets[arrow.index].remark === "again") mark(arrow, colours.again, 3, 12);
      if (arrow.fate === "lost") mark(arrow, colours.lost, 3, 12);
    }
    for (const arrow of list) if (shownHits.has(arrow.index)) mark(arrow, colours.accent, 0, 18);
    drawOverview();
  }

  function drawOverview() {
    const ratio = window.devicePixelRatio || 1, tall = pane.clientHeight, shrink = tall / height;
    overview.width = strip.width; overview.height = strip.height;
    overview.style.height = tall + "px";
    const brush = overview.getContext("2d");
    if (strip.height) brush.drawImage(strip, 0, 0);
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.strokeStyle = colours.accent;
    brush.strokeRect(0.5, pane.scrollTop * shrink + 0.5, 17, Math.max(6, tall * shrink - 1));
  }

  // The panel

  const element = (tag, kind, text) => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  function showMoment(row) {
    if (row === momentRow) return;
    const before = momentRow;
    momentRow = row;
    const section = byId("moment"), title = element("h2", "", "Sockets at this moment");
    section.replaceChildren(title);
    if (!model.rows) { title.textContent = "Nothing happened"; return; }
    title.append(element("small", "", seconds(data.times[row])));
    const hosts = model.statesAt(row);
    if (!hosts.size) section.append(element("p", "help", "No TCP socket is open."));
    for (const name of new Set(data.lanes.map((lane) => lane[0]))) {
      if (!hosts.has(name)) continue;
      section.append(element("h3", "", name));
      const sockets = hosts.get(name);
      for (const socket of sockets.slice(0, 60)) {
        const entry = element("div", "socket");
        const other = socket.remote === "*" ? "" : " → " + socket.remote;
        entry.append(element("code", "", "#" + socket.number + "  " + socket.local + other));
        const fresh = before >= 0 && socket.since > Math.min(before, row - 1) && socket.since <= row && before < row;
        entry.append(element("span", "state " + socket.state + (fresh ? " fresh" : ""), socket.state));
        section.append(entry);
      }
      if (sockets.length > 60) section.append(element("p", "help", `and ${sockets.length - 60} more`));
    }
  }

  function showDetail() {
    const section = byId("detail"), index = view.pinned ?? view.hover;
    section.replaceChildren();
    if (index === null) return;
    const packet = data.packets[index], title = element("h2", "", packet.label);
    title.append(element("small", "", "packet " + packet.number));
    const facts = element("dl");
    const fact = (name, value, kind) => facts.append(element("dt", "", name), element("dd", kind || "", value));
    fact("sent", seconds(data.times[packet.sent], 9));
    for (const row of packet.arrived) fact("arrived", `${seconds(data.times[row], 9)} (+${duration(data.times[row] - data.times[packet.sent])})`);
    for (const [, reason] of packet.lost) fact("lost", reason, "fate-lost");
    if (!packet.arrived.length && !packet.lost.length) fact("is", "on its way at the end");
    if (packet.remark) fact("is", packet.remark === "again" ? "sent again" : "a probe", "fate-again");
    for (const [name, value] of packet.fields) fact(name, value);
    if (packet.payload) fact("payload", packet.length + " bytes");
    section.append(title, facts);
    if (packet.payload) {
      const more = packet.length * 2 > packet.payload.length ? "\n…" : "";
      section.append(element("div", "hex", dump(packet.payload) + more));
    }
  }

  // What the reader does

  function go(index) {
    view.pinned = index;
    const where = y[data.packets[index].sent] + HEAD + TOP;
    if (where < pane.scrollTop + HEAD + 40 || where > pane.scrollTop + pane.clientHeight - 80) {
      pane.scrollTop = where - pane.clientHeight / 3;
    }
    showMoment(data.packets[index].sent);
    showDetail();
    draw();
  }

  function search(text) {
    view.hits = model.search(text);
    shownHits = new Set(view.hits);
    view.hit = -1;
    byId("hits").textContent = text.trim() ? (view.hits.length ? String(view.hits.length) : "none") : "";
    drawStrip();
    draw();
  }

  function nextHit(step) {
    if (!view.hits.length) return;
    view.hit = (view.hit + step + view.hits.length) % view.hits.length;
    byId("hits").textContent = `${view.hit + 1} / ${view.hits.length}`;
    go(view.hits[view.hit]);
  }

  // Zoom, keeping the moment at a place of the pane where it is.
  function zoom(factor, at) {
    const anchor = at ?? pane.clientHeight / 2;
    const row = model.rowAt(y, pane.scrollTop + anchor - HEAD - TOP), before = placeOf(row);
    view.zoom = Math.min(12, Math.max(0.08, factor === 0 ? 1 : view.zoom * factor));
    byId("fit").textContent = Math.round(view.zoom * 100) + "%";
    arrange();
    pane.scrollTop += placeOf(row) - before;
    draw();
  }

  function setMode(mode) {
    const row = model.rowAt(y, pane.scrollTop), before = placeOf(row);
    view.mode = mode;
    byId("even").setAttribute("aria-pressed", String(mode === "even"));
    byId("scale").setAttribute("aria-pressed", String(mode === "scale"));
    arrange();
    pane.scrollTop += placeOf(row) - before;
  }

  function nearest(x, where) {
    let found = null, best = 9;
    for (const arrow of model.crossing(list, where + pane.scrollTop - HEAD - TOP - 40, where + pane.scrollTop - HEAD - TOP + 40)) {
      const { x0, x1, top, bottom } = ends(arrow);
      const part = x0 === x1 ? 0 : (x - x0) / (x1 - x0);
      if (x0 === x1 ? x < x0 || x > x0 + 200 : part < 0 || part > 1) continue;
      const away = where - (top + (bottom - top) * part), distance = away < 0 ? -away * 0.6 : away;
      if (distance < best) { best = distance; found = arrow.index; }
    }
    return found;
  }

  function move(event) {
    const box = canvas.getBoundingClientRect();
    view.pointer = event.clientY - box.top;
    view.hover = view.pointer > HEAD ? nearest(event.clientX - box.left + pane.scrollLeft, view.pointer) : null;
    pane.style.cursor = view.hover === null ? "default" : "pointer";
    showMoment(model.rowAt(y, view.pointer + pane.scrollTop - HEAD - TOP));
    if (view.pinned === null) showDetail();
    draw();
  }

  canvas.addEventListener("mousemove", move);
  canvas.addEventListener("mouseleave", () => { view.pointer = view.hover = null; draw(); });
  canvas.addEventListener("click", (event) => { move(event); view.pinned = view.hover; showDetail(); draw(); });
  pane.addEventListener("scroll", () => {
    if (view.pinned === null) showMoment(model.rowAt(y, pane.scrollTop + (view.pointer ?? HEAD + TOP) - HEAD - TOP));
    drawOverview();
    draw();
  });
  pane.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), event.clientY - canvas.getBoundingClientRect().top);
  }, { passive: false });
  const jump = (event) => { pane.scrollTop = (event.offsetY / pane.clientHeight) * height - pane.clientHeight / 2; };
  overview.addEventListener("mousedown", jump);
  overview.addEventListener("mousemove", (event) => { if (event.buttons) jump(event); });
  byId("search").addEventListener("input", (event) => search(event.target.value));
  byId("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); nextHit(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { event.target.value = ""; search(""); pane.focus(); }
  });
  byId("in").addEventListener("click", () => zoom(1.3));
  byId("out").addEventListener("click", () => zoom(1 / 1.3));
  byId("fit").addEventListener("click", () => zoom(0));
  byId("even").addEventListener("click", () => setMode("even"));
  byId("scale").addEventListener("click", () => setMode("scale"));
  byId("calls").addEventListener("change", (event) => { view.calls = event.target.checked; arrange(); });
  byId("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT" || event.target.tagName === "SELECT") return;
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (event.key === "/") { event.preventDefault(); byId("search").focus(); }
    else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else if (event.key === "0") zoom(0);
    else if (event.key === "n") nextHit(1);
    else if (event.key === "N") nextHit(-1);
    else if (event.key === "Escape") { view.pinned = null; showDetail(); draw(); }
    else if (step && list.length && !event.ctrlKey && !event.metaKey) { event.preventDefault(); walk(step); }
  });

  function walk(step) {
    const order = [...new Set(list.map((arrow) => arrow.index))];
    const at = order.indexOf(view.pinned);
    go(order[at < 0 ? (step > 0 ? 0 : order.length - 1) : Math.min(order.length - 1, Math.max(0, at + step))]);
  }

  function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    readColours();
    drawStrip();
    draw();
  }

  const choice = byId("connection");
  choice.append(new Option(data.connections.length === 1 ? "1 connection" : `All ${data.connections.length} connections`, ""));
  data.connections.forEach((text, index) => choice.append(new Option(text, index)));
  choice.addEventListener("change", () => { view.connection = choice.value === "" ? null : Number(choice.value); arrange(); });

  const lost = data.packets.filter((packet) => packet.lost.length).length;
  const again = data.packets.filter((packet) => packet.remark === "again").length;
  const span = model.rows ? data.times[model.rows - 1] - data.times[0] : 0;
  byId("summary").textContent = `seed ${data.seed} · ${data.packets.length} packets in ${duration(span)} · ${lost} lost · ${again} sent again`;

  // For those who come with an address: page.html#q=again&theme=dark&zoom=2&mode=scale&at=1.5
  const asked = new URLSearchParams(location.hash.slice(1));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.dataset.theme = asked.get("theme") || (dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  readColours();
  if (asked.get("zoom")) view.zoom = Number(asked.get("zoom")) || 1;
  arrange();
  byId("fit").textContent = Math.round(view.zoom * 100) + "%";
  if (asked.get("mode")) setMode(asked.get("mode"));
  showMoment(0);
  if (asked.get("q")) { byId("search").value = asked.get("q"); search(asked.get("q")); nextHit(1); }
  if (asked.get("at")) pane.scrollTop = y[first(model.rows, (i) => data.times[i] >= Number(asked.get("at")) * 1e9)] || 0;
  new ResizeObserver(resize).observe(pane);
})();
