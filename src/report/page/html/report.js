"use strict";
{
  const byId = (id) => document.getElementById(id);
  const { rows, pictures } = JSON.parse(byId("images").textContent);
  const charts = JSON.parse(byId("charts").textContent);
  const CARDS = 12; // cards that are added at a time
  let chosen = [], drawn = 0;

  /** Create an element. Text from the data set is only ever set as text, never as HTML. */
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const shown = (score) => (score === null ? "–" : score.toFixed(3));

  const label = () => byId("class").value;
  const scoreOf = (row) => (label() === "" ? row.dice : row.scores[label()]);
  const sizeOf = (row) => (label() === "" ? Math.min(...row.sizes.filter((size) => size > 0)) : row.sizes[label()]);
  const named = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
  const by = (of, sign) => (a, b) => sign * (of(a) - of(b)) || named(a, b);
  const ORDERS = { worst: by(scoreOf, 1), best: by(scoreOf, -1), small: by(sizeOf, 1), name: named };

  /** Apply the filters and the order; images without a score come last. */
  const choose = () => {
    const [low, high] = ["low", "high"].map((id) => byId(id).valueAsNumber);
    const part = byId("name").value.toLowerCase(), all = !(low > 0) && !(high < 1) && label() === "";
    chosen = rows.filter((row) => {
      const score = scoreOf(row);
      const within = score === null ? all : !(score < low) && !(score > high);
      return within && row.id.toLowerCase().includes(part) && (!byId("pictured").checked || Object.hasOwn(pictures, row.id));
    });
    const order = ORDERS[byId("sort").value], missing = (row) => Number(scoreOf(row) === null);
    chosen.sort((a, b) => missing(a) - missing(b) || order(a, b));
    byId("cards").replaceChildren();
    drawn = 0;
    draw();
  };

  const draw = () => {
    const next = chosen.slice(drawn, drawn + CARDS);
    byId("cards").append(...next.map(card));
    drawn += next.length;
    byId("more").hidden = drawn >= chosen.length;
    byId("count").textContent = `${chosen.length} of ${rows.length} images; ${drawn} shown`;
  };

  const layersOf = (picture) => [{ kind: "image", name: "image" }, ...picture.layers];

  /** The image with one layer on top. */
  const stack = (row, picture, layer) => {
    const box = make("div", { className: `stack ${layer.kind}` });
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `${row.id}: ${layer.name}`);
    const size = { width: picture.width, height: picture.height, alt: "" };
    box.append(make("img", { src: picture.image, ...size }));
    if (layer.src) box.append(make("img", { src: layer.src, className: "over", ...size }));
    return box;
  };

  const card = (row) => {
    const element = make("article", { className: "card" });
    element.dataset.id = row.id;
    element.append(make("h3", { textContent: row.id }));
    const score = label() === "" ? "mean Dice" : `Dice of ${byId("class").selectedOptions[0].textContent}`;
    const facts = [`${score} ${shown(scoreOf(row))}`, row.worst && `weakest: ${row.worst}`, `group ${row.group}`];
    const picture = Object.hasOwn(pictures, row.id) ? pictures[row.id] : null;
    if (picture) element.append(...layered(row, picture));
    element.append(make("p", { textContent: facts.filter(Boolean).join(", ") }));
    if (row.why) element.append(make("p", { textContent: row.why }));
    return element;
  };

  /** Picture, slider, name of the layer, and a button. The slider's value is the index of the layer. */
  const layered = (row, picture) => {
    const layers = layersOf(picture), holder = make("div", { className: "holder" }), words = make("output");
    const slider = make("input", { type: "range", min: 0, max: layers.length - 1, step: 1 });
    slider.setAttribute("aria-label", `Layer of ${row.id}`);
    const show = () => {
      const layer = layers[slider.valueAsNumber];
      holder.replaceChildren(stack(row, picture, layer));
      slider.setAttribute("aria-valuetext", layer.name);
      words.value = layer.name;
    };
    slider.addEventListener("input", show);
    slider.value = layerIndex(picture, layers);
    show();
    const larger = make("button", { type: "button", textContent: "larger" });
    larger.setAttribute("aria-pressed", "false");
    larger.addEventListener("click", () =>
      larger.setAttribute("aria-pressed", String(larger.closest(".card").classList.toggle("large"))));
    return [holder, slider, make("div", { className: "row" }, words, larger)];
  };

  /** Index of the selected layer; for errors, of the chosen class if its errors are drawn. */
  const layerIndex = (picture, layers) => {
    const wanted = Number(byId("layer").value);
    if (wanted < 3 || label() === "") return Math.min(wanted, layers.length - 1);
    const place = layers.findIndex((layer) => layer.name === `errors: ${byId("class").selectedOptions[0].textContent}`);
    return place < 0 ? Math.min(3, layers.length - 1) : place;
  };

  const switchAll = () => {
    for (const slider of document.querySelectorAll(".card input")) {
      const id = slider.closest(".card").dataset.id;
      slider.value = layerIndex(pictures[id], layersOf(pictures[id]));
      slider.dispatchEvent(new Event("input"));
    }
  };

  for (const id of ["sort", "class", "low", "high", "name", "pictured"]) byId(id).addEventListener("input", choose);
  byId("layer").addEventListener("input", switchAll);
  byId("strength").addEventListener("input", (event) =>
    document.documentElement.style.setProperty("--strength", event.target.value));
  byId("more").addEventListener("click", draw);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=range]):not([type=checkbox]), select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !"1234".includes(event.key)) return;
    byId("layer").value = Number(event.key) - 1;
    switchAll();
  });

  // Paper has no slider: print all layers side by side, and open what is folded.
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const element of document.querySelectorAll(".card")) {
      const row = rows.find((one) => one.id === element.dataset.id);
      const picture = Object.hasOwn(pictures, row.id) ? pictures[row.id] : null;
      const layers = picture ? layersOf(picture) : [];
      const parts = layers.map((layer) => make("div", {}, stack(row, picture, layer), layer.name));
      element.append(make("div", { className: "strip" }, ...parts));
    }
  });
  addEventListener("afterprint", () => document.querySelectorAll(".strip").forEach((strip) => strip.remove()));

  choose();
  // Draw the charts one by one, so that the page responds at once. Vega's expression interpreter (ast) works without
  // eval, which the page's policy forbids.
  const options = { actions: false, renderer: "svg", ast: true };
  const drawCharts = async () => {
    for (const place of document.querySelectorAll("[data-chart]")) {
      await new Promise((resolve) => setTimeout(resolve));
      await vegaEmbed(place, charts[place.dataset.chart], options);
      place.dataset.drawn = "";
    }
  };
  drawCharts();
}
