"use strict";
(async () => {
  const find = (id) => document.getElementById(id);
  const make = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  // Drawings: Bokeh's models, in the colours of the page.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const named = (name) => {
    for (const doc of Bokeh.documents) {
      const found = doc.get_model_by_name(name);
      if (found) return found;
    }
    return null;
  };
  const recolour = () => {
    const style = getComputedStyle(document.documentElement);
    const [ink, soft, grid] = ["--ink", "--soft", "--grid"].map((n) => style.getPropertyValue(n).trim());
    for (const doc of Bokeh.documents) {
      for (const plot of doc.roots()) {
        plot.title?.setv({ text_color: ink });
        for (const part of [...plot.left, ...plot.below, ...plot.center, ...plot.above]) {
          if (part.type === "Grid") part.setv({ grid_line_color: grid });
          else if (part.type === "Legend") part.setv({ label_text_color: ink });
          else if (part.type === "Span") part.setv({ line_color: soft });
          else if (part.axis_label !== undefined) {
            part.setv({
              axis_label_text_color: soft, major_label_text_color: ink,
              axis_line_color: soft, major_tick_line_color: soft, minor_tick_line_color: null,
            });
          }
        }
      }
    }
    named("focus-drawn")?.glyph.setv({ line_color: ink });
  };
  const narrow = innerWidth < 600;
  for (const data of document.querySelectorAll(".chart-data")) {
    const item = JSON.parse(data.textContent);
    await Bokeh.embed.embed_item(item, data.dataset.id);
    data.remove();
  }
  if (narrow) named("map").setv({ height: 380 });
  recolour();
  dark.addEventListener("change", recolour);

  // The map.
  const map = named("map");
  const rows = named("rows");
  const { data } = rows;
  const count = data.x.length;
  const lower = Array.from(data.text, (text) => text.toLowerCase());
  const width = data.near.shape ? data.near.shape[1] : 0;
  const plain = Array.from(data.size);
  const panel = find("panel");
  let chosen = -1;
  const marks = {
    unlabelled: (i) => data.kind[i] < 0,
    outside: (i) => data.outside[i] === 1,
    wrong: (i) => data.wrong[i] === 1,
  };

  const rowButton = (i, before) => {
    const item = make("li", undefined, before ? before.kind : "");
    const button = make("button");
    button.type = "button";
    button.append(make("span", before ? before.text : data.about[i], "small"), make("br"), data.text[i]);
    button.addEventListener("click", () => choose(i, true));
    item.append(button);
    return item;
  };

  const choose = (i, byPanel) => {
    chosen = i;
    const near = Array.from({ length: width }, (_, j) => data.near[i * width + j]);
    named("focus").data = { x: [data.x[i]], y: [data.y[i]] };
    named("links").data = {
      x0: near.map(() => data.x[i]), y0: near.map(() => data.y[i]),
      x1: near.map((j) => data.x[j]), y1: near.map((j) => data.y[j]),
    };
    const list = make("ol");
    near.forEach((j, place) => {
      const other = data.kind[j] !== data.kind[i];
      const cosine = data.cosine[i * width + place].toFixed(3);
      const kind = other ? "other" : "";
      list.append(rowButton(j, { text: `${cosine} ${data.about[j]}${other ? "; another class" : ""}`, kind }));
    });
    const heading = make("h3", data.text[i]);
    heading.tabIndex = -1;
    panel.replaceChildren(heading, make("p", data.about[i], "small"), make("h4", "Its neighbours, by cosine"), list);
    panel.scrollTop = 0;
    if (byPanel) heading.focus();
  };

  const filter = () => {
    const query = find("query").value.trim().toLowerCase();
    const kind = find("class")?.value ?? "";
    const only = find("only")?.value ?? "";
    const filtered = query !== "" || kind !== "" || only !== "";
    const found = [];
    for (let i = 0; i < count; i++) {
      const in_it = (query === "" || lower[i].includes(query)) &&
        (kind === "" || data.kind[i] === Number(kind)) && (only === "" || marks[only](i));
      data.alpha[i] = in_it ? 0.8 : 0.06;
      data.size[i] = plain[i] + (filtered && in_it ? 4 : 0);
      if (in_it) found.push(i);
    }
    rows.change.emit();
    find("count").textContent = filtered
      ? `${found.length.toLocaleString("en")} of ${count.toLocaleString("en")} rows` : "";
    if (filtered) {
      const list = make("ul");
      for (const i of found.slice(0, 30)) list.append(rowButton(i));
      const more = found.length > 30 ? ", the first 30" : "";
      panel.replaceChildren(make("h3", `${found.length.toLocaleString("en")} rows${more}`), list);
    }
  };
  let waiting = 0;
  find("controls").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  find("controls").addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
  });

  let at = null;
  map.on_event("tap", (event) => { at = event; });
  rows.selected.properties.indices.change.connect(() => {
    const hits = rows.selected.indices;
    if (!hits.length) return;
    const apart = (i) => at ? (data.x[i] - at.x) ** 2 + (data.y[i] - at.y) ** 2 : 0;
    const nearest = Array.from(hits).reduce((a, b) => (apart(b) < apart(a) ? b : a));
    rows.selected.indices = [];
    choose(nearest, false);
  });

  // Zoom by buttons, and by keys where the map has the focus.
  const ranges = [map.x_range, map.y_range];
  const whole = () => ranges.map((range) => [range.start, range.end]);
  let first = null;
  const change = (by) => {
    first ??= whole();
    ranges.forEach((range, axis) => {
      const middle = (range.start + range.end) / 2;
      const half = ((range.end - range.start) / 2) * by.scale;
      const move = (by.move?.[axis] ?? 0) * 2 * half;
      range.setv({ start: middle - half + move, end: middle + half + move });
    });
  };
  const reset = () => {
    if (first) ranges.forEach((range, axis) => range.setv({ start: first[axis][0], end: first[axis][1] }));
  };
  find("in").addEventListener("click", () => change({ scale: 0.7 }));
  find("out").addEventListener("click", () => change({ scale: 1 / 0.7 }));
  find("reset").addEventListener("click", reset);
  const keys = {
    ArrowLeft: () => change({ scale: 1, move: [-0.1, 0] }),
    ArrowRight: () => change({ scale: 1, move: [0.1, 0] }),
    ArrowDown: () => change({ scale: 1, move: [0, -0.1] }),
    ArrowUp: () => change({ scale: 1, move: [0, 0.1] }),
    "+": () => change({ scale: 0.7 }),
    "-": () => change({ scale: 1 / 0.7 }),
    0: reset,
  };
  find("map").addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });

  const legend = find("legend");
  if (legend) {
    const colours = new Map();
    for (let i = 0; i < count; i++) if (!colours.has(data.kind[i])) colours.set(data.kind[i], data.color[i]);
    Array.from(find("class").options).slice(1).forEach((option) => {
      const item = make("li");
      const swatch = make("span");
      swatch.style.background = colours.get(Number(option.value));
      item.append(swatch, option.textContent);
      legend.append(item);
    });
  }
  document.documentElement.dataset.ready = "true";
})();
